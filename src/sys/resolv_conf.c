/*
 * resolv.conf for the command: one name server, the gateway, and everything
 * else that decides how a name is completed. The gateway's line stands first,
 * so that it is there even if what follows is cut. Lines are read as
 * resolv.conf(5) says: a keyword in the first column.
 */
#include "sys/resolv_conf.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool keep(const char *line, size_t len)
{
	static const char *const words[] = { "search", "domain", "options", "sortlist" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);
		if (len > n && memcmp(line, words[i], n) == 0 && (line[n] == ' ' || line[n] == '\t'))
			return true;
	}
	return false;
}

size_t sys_resolv_conf_make(const char *old, size_t len, const struct addr *gateway, char *out, size_t size)
{
	char ip[INET6_ADDRSTRLEN];
	int first = snprintf(out, size, "nameserver %s\n", inet_ntop(gateway->family, gateway->ip.bytes, ip, sizeof(ip)));
	size_t used = first > 0 && (size_t)first < size ? (size_t)first : 0;

	while (len) {
		const char *end = memchr(old, '\n', len);
		size_t line = end ? (size_t)(end - old) : len;
		size_t step = end ? line + 1 : line;
		if (keep(old, line) && used + line + 1 <= size) {
			memcpy(out + used, old, line);
			out[used + line] = '\n';
			used += line + 1;
		}
		old += step;
		len -= step;
	}
	return used;
}

/* The first word behind "nameserver", or 0. */
static size_t server_of(const char *line, size_t len, const char **word)
{
	static const char key[] = "nameserver";
	size_t at = sizeof(key) - 1, end;

	if (len <= at || memcmp(line, key, at) != 0 || (line[at] != ' ' && line[at] != '\t'))
		return 0;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	for (end = at; end < len && !strchr(" \t\r#;", line[end]); end++)
		;
	*word = line + at;
	return end - at;
}

int sys_resolv_conf_servers(const char *text, size_t len, uint16_t port, struct addr *out, int max)
{
	char ip[INET6_ADDRSTRLEN];
	int n = 0;

	while (len && n < max) {
		const char *end = memchr(text, '\n', len), *word;
		size_t line = end ? (size_t)(end - text) : len, step = end ? line + 1 : line;
		size_t size = server_of(text, line, &word);

		if (size && size < sizeof(ip)) {
			memcpy(ip, word, size);
			ip[size] = 0;
			n += addr_parse_ip(ip, port, &out[n]) == 0;
		}
		text += step;
		len -= step;
	}
	return n;
}
