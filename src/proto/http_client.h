/* CONNECT (RFC 9110 section 9.3.6), the client's half, without sockets. The
 * answer's head is read by http_read_response() of http_connect.h. */
#ifndef GATUN_PROTO_HTTP_CLIENT_H
#define GATUN_PROTO_HTTP_CLIENT_H

#include "proto/http_connect.h"

#define HTTP_CONNECT_MAX 1536u /* two names of 253 bytes and a login of 255 + 255, in base64 */

/* The request for a tunnel to `target`; user may be NULL, then no login is sent.
 * out holds HTTP_CONNECT_MAX. The length, or -EINVAL: a name that HTTP cannot carry. */
ssize_t http_write_connect(const struct target *target, const char *user, const char *password, uint8_t *out);
/* The word for a status that refuses; what http_status_of() says, backwards. */
enum flow_end http_end_of(unsigned status);

#endif
