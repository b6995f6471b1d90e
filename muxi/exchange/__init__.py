"""The life of a call: one generator without I/O (:mod:`~muxi.exchange.life`), its effects, and its two drivers."""
