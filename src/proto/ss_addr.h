/* The SOCKS5 address (ATYP, address, port) that Shadowsocks and SOCKS5 share. */
#ifndef GATUN_PROTO_SS_ADDR_H
#define GATUN_PROTO_SS_ADDR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

#define SS_ADDR_MAX (1 + 1 + 255 + 2)

/* Bytes that encode would write: 7, 19, or 4 + the name's length. */
size_t ss_addr_len(const struct target *t);
/* Writes it; returns its length. out holds SS_ADDR_MAX, or ss_addr_len(). */
size_t ss_addr_encode(const struct target *t, uint8_t *out);
/* Returns the bytes consumed, 0 if more are needed, -EPROTO if it is none (bad
 * type, empty name). A name that spells an IP address becomes that address; a
 * v4-mapped IPv6 address becomes IPv4. */
ssize_t ss_addr_decode(const uint8_t *in, size_t len, struct target *out);

/* The same with other numbers for the types of address (proto/uot). */
struct ss_addr_types {
	uint8_t ipv4, name, ipv6;
};
size_t ss_addr_encode_as(const struct ss_addr_types *types, const struct target *t, uint8_t *out);
ssize_t ss_addr_decode_as(const struct ss_addr_types *types, const uint8_t *in, size_t len, struct target *out);

#endif
