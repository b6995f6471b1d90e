"""With a context of truststore, given to the transport."""

import ssl

import truststore
from driving import staged

with staged(settings={"verify": truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}) as stage:
    stage.call("during")
