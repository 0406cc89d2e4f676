/* What the control socket answers: a line in, a text out. It knows no sockets. */
#ifndef GATUN_CTL_REQUEST_H
#define GATUN_CTL_REQUEST_H

#include <jansson.h>
#include <stddef.h>

/* The answer to one line (without its end; any bytes): a document of JSON and a
 * newline, or, to "GET /metrics HTTP/1.1", an HTTP response. NULL: out of memory. */
char *ctl_request_answer(const char *line, size_t len);
/* The document as a line; takes it (NULL: out of memory, as the result). */
char *ctl_request_line(json_t *document);

#endif
