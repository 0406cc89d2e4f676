/*
 * SOCKS5 (RFC 1928, RFC 1929), the client's half, without sockets. Readers work
 * as those of socks.h, the server's half: the bytes that a message occupies, 0
 * if more must come, -EPROTO if it is none; no message is longer than SOCKS_MAX.
 */
#ifndef GATUN_PROTO_SOCKS_CLIENT_H
#define GATUN_PROTO_SOCKS_CLIENT_H

#include "proto/socks.h"

/* Offers no authentication, and a password if there is one. At most 4 bytes. */
size_t socks_write_greeting(uint8_t *out, bool password);
ssize_t socks_read_method(const uint8_t *in, size_t len, uint8_t *method);
/* Each at most 255 bytes; out holds 513. */
size_t socks_write_login(uint8_t *out, const char *name, const char *password);
ssize_t socks_read_login_status(const uint8_t *in, size_t len, bool *ok);
/* At most 3 + 259 bytes. */
size_t socks_write_request(uint8_t *out, enum socks_command command, const struct target *target);
/* bound: where the server connects from, or takes datagrams. */
ssize_t socks_read_reply(const uint8_t *in, size_t len, uint8_t *reply, struct target *bound);
/* The word for a reply that refuses; what socks_reply_of() says, backwards. */
enum flow_end socks_end_of(uint8_t reply);

#endif
