"""Recipes: how each worker makes a client of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from muxi.client.base import AsyncClient, BaseClient, Client
from muxi.client.defaults import fill_in
from muxi.config import FormationConfig, ServerConfig
from muxi.errors import ConfigurationError
from muxi.redact import redact_text
from muxi.transport.arguments import check_arguments

__all__ = ["ClientRecipe", "ClientSource"]


@check_arguments("source")
class ClientRecipe:
    """A recipe for a client, which travels to workers in place of a client.

    Args:
        source: a :class:`muxi.FormationConfig` or :class:`muxi.ServerConfig`, or a function without arguments that
            returns a client. To reach other processes it has to pickle: a function at the top level of a module, a
            configuration without keys in it. Each worker then reads the keys from its environment.
        name: identity of the client in journals; by default the address of a configuration, the name of a function.

    Raises:
        ConfigurationError: the source is neither.
    """

    def __init__(self, source: ClientSource, *, name: str | None = None) -> None:
        given: object = source
        if isinstance(given, ClientRecipe):
            name = name or given._name
            given = given._source
        if isinstance(given, BaseClient):
            raise ConfigurationError(
                "a batch takes a recipe for a client, because each worker has a client of its own: give a "
                "FormationConfig or a ServerConfig, or a function that returns a client"
            )
        if not isinstance(given, FormationConfig | ServerConfig) and not callable(given):
            raise ConfigurationError(
                f"a batch takes a FormationConfig, a ServerConfig or a function that returns a client, got "
                f"{type(given).__name__}"
            )
        if name is not None and not str(name).strip():
            raise ConfigurationError("name= takes a text that is not empty")
        self._source: Any = given
        self._name: str | None = name

    @property
    def identity(self) -> str:
        """Identity of the client in journals, without secrets.

        Raises:
            ConfigurationError: the configuration has no address.
        """
        if self._name is not None:
            return redact_text(self._name)
        source = self._source
        if isinstance(source, FormationConfig):
            return redact_text(f"formation {fill_in(source.resolved()).address().base_url}")
        if isinstance(source, ServerConfig):
            return redact_text(f"server {fill_in(source.resolved()).address().base_url}")
        return f"function {_name_of(source)}"

    def make(self) -> Client:
        """Return a new sync client.

        Raises:
            ConfigurationError: a setting is wrong, or the function returned something else.
        """
        source = self._source
        if isinstance(source, FormationConfig):
            from muxi.formation import FormationClient

            return FormationClient(source)
        if isinstance(source, ServerConfig):
            from muxi.server import ServerClient

            return ServerClient(source)
        made = source()
        if not isinstance(made, Client):
            raise ConfigurationError(f"the recipe of the client has to return a sync client, it returned {_kind(made)}")
        return made

    def make_async(self) -> AsyncClient:
        """Return a new async client.

        Raises:
            ConfigurationError: a setting is wrong, or the function returned something else.
        """
        source = self._source
        if isinstance(source, FormationConfig):
            from muxi.formation import AsyncFormationClient

            return AsyncFormationClient(source)
        if isinstance(source, ServerConfig):
            from muxi.server import AsyncServerClient

            return AsyncServerClient(source)
        made = source()
        if not isinstance(made, AsyncClient):
            raise ConfigurationError(
                f"the recipe of the client has to return an async client, it returned {_kind(made)}"
            )
        return made

    def __repr__(self) -> str:
        source = self._source
        shown = repr(source) if isinstance(source, FormationConfig | ServerConfig) else _name_of(source)
        return f"ClientRecipe({redact_text(shown)}{'' if self._name is None else f', name={self._name!r}'})"


#: What a batch makes its clients of.
ClientSource = FormationConfig | ServerConfig | ClientRecipe | Callable[[], Client | AsyncClient]


def _name_of(function: object) -> str:
    """Return the qualified name of a function, without the arguments that a partial has."""
    while isinstance(function, partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', '')}"


def _kind(made: object) -> str:
    return f"a {type(made).__name__}"
