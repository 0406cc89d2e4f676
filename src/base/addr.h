/*
 * An IP endpoint, and a target: what a flow wants to reach.
 *
 * Ports are in host order everywhere in gatun; only codecs and sockets swap
 * them. A v4-mapped IPv6 address is normalised to IPv4 the moment it enters
 * (addr_from_sockaddr, codecs), so that one host has one spelling.
 */
#ifndef GATUN_BASE_ADDR_H
#define GATUN_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	uint16_t family; /* AF_INET, AF_INET6, or 0 for none */
	uint16_t port;	 /* host order */
	union {
		uint8_t bytes[16]; /* v4 in the first 4; the rest is zero */
		struct in_addr v4;
		struct in6_addr v6;
	} ip;
};

#define TARGET_NAME_MAX 255

/* An IP and port (name_len 0), or a domain and port (name_len 1..255, the
 * port in ip.port, ip.family 0). The name is not NUL-checked: it is what came
 * from the wire, and is escaped when logged. name[name_len] is always 0. */
struct target {
	struct addr ip;
	uint8_t name_len;
	char name[TARGET_NAME_MAX + 1];
};

/* Longest output of addr_format and target_format, NUL included. */
#define ADDR_STRLEN 56
#define TARGET_STRLEN (4 * TARGET_NAME_MAX + 8)

struct addr addr_v4(const void *ip4, uint16_t port);
struct addr addr_v6(const void *ip16, uint16_t port); /* v4-mapped becomes v4 */
struct addr addr_from_sockaddr(const struct sockaddr *sa);
/* The local address of a socket; family 0 where it has none. */
struct addr addr_of_socket(int fd);
/* Fills ss and returns its length. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
/* As above, but an IPv4 address becomes ::ffff:a.b.c.d, for dual-stack sockets. */
socklen_t addr_to_sockaddr6(const struct addr *a, struct sockaddr_storage *ss);

bool addr_equal(const struct addr *a, const struct addr *b);
/* 0.0.0.0 or ::, whatever the port. */
bool addr_is_any(const struct addr *a);
bool addr_ip_equal(const struct addr *a, const struct addr *b);
/* Keyed (base/hash.h), of address, port and family: equal addresses hash alike. */
uint64_t addr_hash(const struct addr *a);
/* Number of address bytes: 4, 16 or 0. */
size_t addr_ip_len(const struct addr *a);

/* "1.2.3.4:80", "[2001:db8::1]:80". Returns buf, which holds ADDR_STRLEN. */
char *addr_format(const struct addr *a, char *buf);
/* "1.2.3.4:80" or "example.org:80", control and non-ASCII bytes as \xHH.
 * Returns buf, which holds TARGET_STRLEN. */
char *target_format(const struct target *t, char *buf);

/* An address literal without port ("1.2.3.4", "2001:db8::1", "[2001:db8::1]").
 * Returns 0 or -EINVAL. */
int addr_parse_ip(const char *text, uint16_t port, struct addr *out);
/* "host:port", "1.2.3.4:80", "[::1]:80"; a domain is allowed.
 * Returns 0, or -EINVAL (no such form), -ERANGE (port not 1..65535),
 * -ENAMETOOLONG (name over 255 bytes). */
int target_parse(const char *text, struct target *out);
/* A host (literal or domain) and a port. Errors as target_parse. */
int target_set(struct target *t, const char *host, size_t host_len, uint16_t port);
void target_from_addr(struct target *t, const struct addr *a);
bool target_equal(const struct target *a, const struct target *b);
static inline bool target_is_name(const struct target *t) { return t->name_len != 0; }
static inline uint16_t target_port(const struct target *t) { return t->ip.port; }

#endif
