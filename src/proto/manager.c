/*
 * ss-manager's protocol. An order is a word, or a word, a colon and a JSON object;
 * white space, line ends and NULs around either mean nothing (clients of all kinds of
 * languages send them). Ports come as numbers or in quotes, and go in quotes, as
 * libev has them.
 */
#include "proto/manager.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ENTRY_MAX 96

static const char *const words[] = { "add", "remove", "list", "ping", "stat" };

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0;
}

static void trim(const uint8_t **data, size_t *len)
{
	while (*len && is_blank((*data)[*len - 1]))
		--*len;
	while (*len && is_blank(**data))
		++*data, --*len;
}

static int find_word(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (len == strlen(words[i]) && memcmp(data, words[i], len) == 0)
			return (int)i;
	return -1;
}

static uint16_t port_of(const json_t *v)
{
	json_int_t port = 0;
	const char *text = json_string_value(v);

	if (json_is_integer(v))
		port = json_integer_value(v);
	for (; text && *text; text++) {
		if (*text < '0' || *text > '9' || port > 65535)
			return 0;
		port = port * 10 + (*text - '0');
	}
	return port > 0 && port <= 65535 ? (uint16_t)port : 0;
}

static int read_body(const uint8_t *data, size_t len, struct manager_order *out)
{
	json_t *body = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);

	out->port = port_of(json_object_get(body, "server_port"));
	if (out->command == MANAGER_ADD && out->port) {
		out->body = body;
		return 0;
	}
	json_decref(body);
	return out->port ? 0 : -EINVAL;
}

int manager_read(const uint8_t *data, size_t len, struct manager_order *out)
{
	const uint8_t *colon = memchr(data, ':', len), *word = data, *rest = colon ? colon + 1 : data + len;
	size_t word_len = colon ? (size_t)(colon - data) : len, rest_len = (size_t)(data + len - rest);
	int command;

	*out = (struct manager_order){ 0 };
	trim(&word, &word_len);
	trim(&rest, &rest_len);
	command = find_word(word, word_len);
	if (command < 0)
		return -ENOMSG;
	out->command = (enum manager_command)command;
	if (out->command == MANAGER_STAT)
		return 0;
	if (out->command == MANAGER_LIST || out->command == MANAGER_PING)
		return rest_len ? -EINVAL : 0;
	return read_body(rest, rest_len, out);
}

void manager_order_free(struct manager_order *o)
{
	json_decref(o->body);
	o->body = NULL;
}

/* ---- answers ---- */

typedef int entry_fn(const struct manager_port *, char *out);

static int list_entry(const struct manager_port *p, char *out)
{
	return snprintf(out, ENTRY_MAX, "\n\t{\"server_port\":\"%u\",\"method\":\"%s\"},", p->port, p->method);
}

static int ping_entry(const struct manager_port *p, char *out)
{
	return snprintf(out, ENTRY_MAX, "\"%u\":%llu,", p->port, (unsigned long long)p->bytes);
}

static size_t write_some(const struct manager_port *ports, int n, int *next, char *out, size_t size, entry_fn *entry,
			 const char *front, const char *back)
{
	size_t at = (size_t)sprintf(out, "%s", front), begin = at;

	while (*next < n && at + ENTRY_MAX + strlen(back) <= size)
		at += (size_t)entry(&ports[(*next)++], out + at);
	if (at > begin)
		at--; /* the last comma */
	return at + (size_t)sprintf(out + at, "%s", back);
}

size_t manager_write_list(const struct manager_port *ports, int n, int *next, char *out, size_t size)
{
	return write_some(ports, n, next, out, size, list_entry, "[", n ? "\n]" : "]");
}

size_t manager_write_ping(const struct manager_port *ports, int n, int *next, char *out, size_t size)
{
	return write_some(ports, n, next, out, size, ping_entry, "stat: {", "}");
}
