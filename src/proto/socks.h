/*
 * SOCKS5 (RFC 1928, RFC 1929) and SOCKS4/4a, the server's half, without
 * sockets: bytes in, what they say out.
 *
 * Every reader takes what has arrived so far and returns the bytes that its
 * message occupies, 0 if more must come, or -EPROTO if it is none. What a
 * reader points to lies in the input. No message is longer than SOCKS_MAX, so
 * a buffer of that size always holds one.
 */
#ifndef GATUN_PROTO_SOCKS_H
#define GATUN_PROTO_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "io/flow_end.h"

#define SOCKS_MAX 1024u

enum socks_method { SOCKS_METHOD_NONE = 0, SOCKS_METHOD_PASSWORD = 2, SOCKS_METHOD_NO_MATCH = 0xff };
enum socks_command { SOCKS_CONNECT = 1, SOCKS_BIND = 2, SOCKS_UDP_ASSOCIATE = 3 };
enum socks_reply {
	SOCKS_OK = 0,
	SOCKS_FAILURE = 1,
	SOCKS_DENIED = 2,
	SOCKS_NET_UNREACHABLE = 3,
	SOCKS_HOST_UNREACHABLE = 4,
	SOCKS_REFUSED = 5,
	SOCKS_TTL = 6,
	SOCKS_NO_COMMAND = 7,
	SOCKS_NO_ADDRESS_TYPE = 8,
};

struct socks_greeting {
	bool none, password; /* the methods that the client offers, of those we know */
};
ssize_t socks_read_greeting(const uint8_t *in, size_t len, struct socks_greeting *out);

struct socks_login {
	const uint8_t *name, *password;
	uint8_t name_len, password_len;
};
ssize_t socks_read_login(const uint8_t *in, size_t len, struct socks_login *out);

struct socks_request {
	uint8_t command; /* as sent: it may be none that exists */
	struct target target;
};
/* -EAFNOSUPPORT: an address type that does not exist. */
ssize_t socks_read_request(const uint8_t *in, size_t len, struct socks_request *out);
/* A SOCKS4 or 4a request; its user id is skipped. */
ssize_t socks4_read_request(const uint8_t *in, size_t len, struct socks_request *out);

/* "05 method" and "01 status": 2 bytes each. */
size_t socks_write_method(uint8_t *out, uint8_t method);
size_t socks_write_login_status(uint8_t *out, bool ok);
/* At most 22 bytes. bound: NULL is 0.0.0.0:0. */
size_t socks_write_reply(uint8_t *out, uint8_t reply, const struct addr *bound);
/* 8 bytes: granted, or rejected. */
size_t socks4_write_reply(uint8_t *out, bool granted);

/* The reply that tells why no connection came about. */
uint8_t socks_reply_of(enum flow_end why);

/* ---- UDP: "00 00 FRAG address data" ---- */

#define SOCKS_UDP_HEADER_MAX (3 + 1 + 1 + 255 + 2)

struct socks_datagram {
	uint8_t frag; /* 0: whole */
	struct target target;
	size_t header_len; /* the data is behind it */
};
/* 0, or -EPROTO. */
int socks_read_datagram(const uint8_t *in, size_t len, struct socks_datagram *out);
/* Writes the header of a whole datagram; out holds SOCKS_UDP_HEADER_MAX. */
size_t socks_write_datagram_header(uint8_t *out, const struct target *from);

#endif
