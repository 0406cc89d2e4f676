/* The two registries; see status.h. They are short lists, asked a few times a minute. */
#include "engine/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/status_flows.h"

#define ENTRIES_MAX 48

struct entry {
	const char *name;
	json_t *(*part)(void *owner); /* one of the two */
	engine_request_fn *request;
	void *owner;
};

static struct entry entries[ENTRIES_MAX];
static int n_entries;
static const char *mode;
static json_t *(*relay)(const json_t *request);

static struct entry *find(const char *name, bool request)
{
	for (int i = 0; i < n_entries; i++)
		if ((entries[i].request != NULL) == request && strcmp(entries[i].name, name) == 0)
			return &entries[i];
	return NULL;
}

static void put(const struct entry *e)
{
	struct entry *place = find(e->name, e->request != NULL);

	if (!place && n_entries == ENTRIES_MAX) {
		log_error("no room for \"%s\" in the status", e->name);
		return;
	}
	*(place ? place : &entries[n_entries++]) = *e;
}

void engine_status_add(const char *name, json_t *(*fn)(void *owner), void *owner)
{
	put(&(struct entry){ .name = name, .part = fn, .owner = owner });
}

void engine_request_add(const char *name, engine_request_fn *fn, void *owner)
{
	put(&(struct entry){ .name = name, .request = fn, .owner = owner });
}

void engine_status_remove(const void *owner)
{
	int kept = 0;

	for (int i = 0; i < n_entries; i++)
		if (entries[i].owner != owner)
			entries[kept++] = entries[i];
	n_entries = kept;
}

/* ---- the document ---- */

void engine_status_set_mode(const char *m)
{
	mode = m;
}

json_t *engine_status_document(void)
{
	json_t *document = json_object();

	if (document && mode)
		json_object_set_new(document, "mode", json_string(mode));
	for (int i = 0; document && i < n_entries; i++) {
		json_t *value = entries[i].part ? entries[i].part(entries[i].owner) : NULL;

		if (value)
			json_object_set_new(document, entries[i].name, value);
	}
	return document;
}

static json_t *answer_status(void *owner, const json_t *request)
{
	(void)owner, (void)request;
	return engine_status_document();
}

/* ---- requests ---- */

json_t *engine_request_error(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_pack("{s:s}", "error", text);
}

void engine_request_relay(json_t *(*fn)(const json_t *request))
{
	relay = fn;
}

json_t *engine_request(const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "request"));
	const struct entry *e;
	char shown[64];

	if (!name)
		return engine_request_error("a request is an object with a member \"request\"");
	if (relay)
		return relay(request);
	e = find(name, true);
	if (!e)
		return engine_request_error("there is no request \"%s\"", log_escape(name, strlen(name), shown, sizeof(shown)));
	return e->request(e->owner, request);
}

/* ---- life ---- */

void engine_status_begin(void)
{
	n_entries = 0;
	mode = NULL;
	engine_request_add("status", answer_status, NULL);
	engine_status_add_common();
	engine_status_add_udp_over_tcp();
	engine_status_add_plugins();
	engine_status_add_flows();
}

void engine_status_end(void)
{
	n_entries = 0;
	mode = NULL;
}
