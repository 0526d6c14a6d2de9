#pragma once
/*
 * Purpose: the wire, replaced: every HTTP request of the code under test is answered from a text. What a server can say
 *	to a provider is so fuzzed through the provider's own public functions and the whole of backends/http but curl.
 *
 * Linking canned.c puts its transport_* in the place of backends/http/transport.c; it is linked into every target, so
 * that none can reach a network.
 *
 * The text holds one answer for each request, in order, divided by lines "----". An answer is what stands on the wire:
 *
 *	HTTP/1.1 404 Not Found
 *	Content-Type: application/xml
 *
 *	<Error><Code>NoSuchKey</Code></Error>
 *
 * (line feeds will do for CR LF; without a status line it is a body, with status 200.) When the text is at its end
 * the server is gone. Waits take no time: the clock is ours, and goes on when nothing else is left to do.
 */
#include "backends/http/engine.h"

/* One for the life of the process; each call is tried once. */
struct http_engine *canned_engine(void);
/* What the next requests get; the text must live until they are done. */
void canned_set(struct str answers);
#define CANNED_URL    "http://127.0.0.1:1"
#define CANNED_WALL_S 1800000000 /* what the clock begins with */
