/*
 * Endpoints and targets: conversion, comparison, text. See addr.h for the two
 * rules (host-order ports, v4-mapped is IPv4).
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"

struct addr addr_v4(const void *ip4, uint16_t port)
{
	struct addr a = { .family = AF_INET, .port = port };

	memcpy(a.ip.bytes, ip4, 4);
	return a;
}

struct addr addr_v6(const void *ip16, uint16_t port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct addr a = { .family = AF_INET6, .port = port };

	if (memcmp(ip16, mapped, sizeof(mapped)) == 0)
		return addr_v4((const uint8_t *)ip16 + 12, port);
	memcpy(a.ip.bytes, ip16, 16);
	return a;
}

struct addr addr_from_sockaddr(const struct sockaddr *sa)
{
	struct addr none = { 0 };

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *s4 = (const struct sockaddr_in *)sa;
		return addr_v4(&s4->sin_addr, ntohs(s4->sin_port));
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *s6 = (const struct sockaddr_in6 *)sa;
		return addr_v6(&s6->sin6_addr, ntohs(s6->sin6_port));
	}
	return none;
}

struct addr addr_of_socket(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return (struct addr){ 0 };
	return addr_from_sockaddr((struct sockaddr *)&ss);
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	if (a->family == AF_INET6)
		return addr_to_sockaddr6(a, ss);

	struct sockaddr_in *s4 = (struct sockaddr_in *)ss;

	memset(s4, 0, sizeof(*s4));
	s4->sin_family = AF_INET;
	s4->sin_port = htons(a->port);
	s4->sin_addr = a->ip.v4;
	return sizeof(*s4);
}

socklen_t addr_to_sockaddr6(const struct addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)ss;

	memset(s6, 0, sizeof(*s6));
	s6->sin6_family = AF_INET6;
	s6->sin6_port = htons(a->port);
	if (a->family == AF_INET6) {
		s6->sin6_addr = a->ip.v6;
	} else {
		s6->sin6_addr.s6_addr[10] = s6->sin6_addr.s6_addr[11] = 0xff;
		memcpy(s6->sin6_addr.s6_addr + 12, a->ip.bytes, 4);
	}
	return sizeof(*s6);
}

size_t addr_ip_len(const struct addr *a)
{
	return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[sizeof(a->ip)];

	return a->family && memcmp(&a->ip, zero, sizeof(zero)) == 0;
}

bool addr_ip_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip.bytes, b->ip.bytes, addr_ip_len(a)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_ip_equal(a, b);
}

bool target_equal(const struct target *a, const struct target *b)
{
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0 && addr_equal(&a->ip, &b->ip);
}

uint64_t addr_hash(const struct addr *a)
{
	uint8_t flat[20] = { 0 };

	memcpy(flat, a->ip.bytes, addr_ip_len(a));
	memcpy(flat + 16, &a->port, 2);
	memcpy(flat + 18, &a->family, 2);
	return hash_bytes(flat, sizeof(flat));
}

char *addr_format(const struct addr *a, char *buf)
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (a->family)
		inet_ntop(a->family, a->ip.bytes, ip, sizeof(ip));
	snprintf(buf, ADDR_STRLEN, a->family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip, a->port);
	return buf;
}

char *target_format(const struct target *t, char *buf)
{
	if (!target_is_name(t))
		return addr_format(&t->ip, buf);
	log_escape(t->name, t->name_len, buf, TARGET_STRLEN - 8);
	snprintf(buf + strlen(buf), 8, ":%u", t->ip.port);
	return buf;
}

int addr_parse_ip(const char *text, uint16_t port, struct addr *out)
{
	char copy[INET6_ADDRSTRLEN + 2];
	uint8_t ip[16];
	size_t len = strlen(text);

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len + 1);
	if (len > 2 && copy[0] == '[' && copy[len - 1] == ']') {
		copy[len - 1] = 0;
		if (inet_pton(AF_INET6, copy + 1, ip) != 1)
			return -EINVAL;
		*out = addr_v6(ip, port);
	} else if (inet_pton(AF_INET, copy, ip) == 1) {
		*out = addr_v4(ip, port);
	} else if (inet_pton(AF_INET6, copy, ip) == 1) {
		*out = addr_v6(ip, port);
	} else {
		return -EINVAL;
	}
	return 0;
}

void target_from_addr(struct target *t, const struct addr *a)
{
	t->ip = *a;
	t->name_len = 0;
	t->name[0] = 0;
}

int target_set(struct target *t, const char *host, size_t host_len, uint16_t port)
{
	if (host_len == 0)
		return -EINVAL;
	if (port == 0)
		return -ERANGE;
	if (host_len > TARGET_NAME_MAX)
		return -ENAMETOOLONG;

	char copy[TARGET_NAME_MAX + 1];
	struct addr literal;

	memcpy(copy, host, host_len);
	copy[host_len] = 0;
	if (addr_parse_ip(copy, port, &literal) == 0) {
		target_from_addr(t, &literal);
		return 0;
	}
	if (strpbrk(copy, "[]: \t\r\n/") || strlen(copy) != host_len)
		return -EINVAL;
	t->ip = (struct addr){ .port = port };
	t->name_len = (uint8_t)host_len;
	memcpy(t->name, copy, host_len + 1);
	return 0;
}

int target_parse(const char *text, struct target *out)
{
	const char *colon = strrchr(text, ':');
	unsigned long port;
	char *end;

	if (!colon || colon == text)
		return -EINVAL;
	if (text[0] == '[' ? colon[-1] != ']' : memchr(text, ':', (size_t)(colon - text)) != NULL)
		return -EINVAL;
	if (colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	errno = 0;
	port = strtoul(colon + 1, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || port == 0 || port > 65535)
		return -ERANGE;
	return target_set(out, text, (size_t)(colon - text), (uint16_t)port);
}
