/*
 * The passes over a config's bytes before and after jansson's own (json_text.h).
 *
 * The places are found by walking the text and jansson's tree in lockstep:
 * jansson iterates an object in the order of the text, and duplicates were
 * refused, so the n-th member here is the n-th member there. The walk trusts
 * that the text is valid JSON only as far as its own bounds checks go.
 */
#include "conf/json_text.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "conf/foreign.h"

struct cursor {
	const char *text;
	size_t at, len;
};

/* Blocks stay malloc's own, so that free() of what jansson gave out is right too. */
static void wiping_free(void *p)
{
	if (p)
		sodium_memzero(p, malloc_usable_size(p));
	free(p);
}

void json_wipe_memory(void)
{
	json_set_alloc_funcs(malloc, wiping_free);
}

char *json_text_line(const json_t *document)
{
	size_t len = document ? json_dumpb(document, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 0;
	char *line = len ? malloc(len + 2) : NULL;

	if (!line)
		return NULL;
	json_dumpb(document, line, len, JSON_COMPACT | JSON_ENCODE_ANY);
	memcpy(line + len, "\n", 2);
	return line;
}

/* JSON's white space; strchr alone would find its own NUL. */
static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t string_end(const char *text, size_t at, size_t len)
{
	for (at++; at < len && text[at] != '"'; at++)
		if (text[at] == '\\')
			at++;
	return at < len ? at + 1 : len;
}

static void blank(char *text, size_t from, size_t to)
{
	for (; from < to; from++)
		if (text[from] != '\n' && text[from] != '\r')
			text[from] = ' ';
}

/* End of the comment that begins at `at`; 0 if none begins there, `len` + 1 if it never ends. */
static size_t comment_end(const char *text, size_t at, size_t len)
{
	if (at + 1 >= len || text[at] != '/')
		return 0;
	if (text[at + 1] == '/') {
		const char *end = memchr(text + at, '\n', len - at);
		return end ? (size_t)(end - text) : len;
	}
	if (text[at + 1] != '*')
		return 0;
	for (size_t i = at + 2; i + 1 < len; i++)
		if (text[i] == '*' && text[i + 1] == '/')
			return i + 2;
	return len + 1;
}

static int blank_comments(char *text, size_t len, conf_place *place)
{
	for (size_t at = 0; at < len;) {
		size_t end = comment_end(text, at, len);

		if (end > len) {
			*place = at + 1;
			return -EINVAL;
		}
		if (end)
			blank(text, at, end);
		at = end ? end : text[at] == '"' ? string_end(text, at, len) : at + 1;
	}
	return 0;
}

static void blank_trailing_commas(char *text, size_t len)
{
	size_t comma = len; /* the last comma with nothing but space after it */
	char before = '[';  /* what stands before that comma: "[,]" stays an error */
	char last = '[';

	for (size_t at = 0; at < len;) {
		char c = text[at];

		if (c == ',') {
			comma = at;
			before = last;
		} else if ((c == ']' || c == '}') && comma < len && !strchr("[{,:", before)) {
			text[comma] = ' ';
		}
		if (c != ',' && !is_space(c))
			comma = len;
		if (!is_space(c))
			last = c;
		at = c == '"' ? string_end(text, at, len) : at + 1;
	}
}

/* Comments, trailing commas and a byte order mark become spaces. 0, or -EINVAL with *place at a block comment
 * that never ends. */
static int blank_all(char *text, size_t len, conf_place *place)
{
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		memset(text, ' ', 3);

	int err = blank_comments(text, len, place);

	if (!err)
		blank_trailing_commas(text, len);
	return err;
}

/* jansson's position is behind the token at fault, whose text is in "near '...'". */
static conf_place syntax_place(const json_error_t *e, size_t len)
{
	const char *near = strstr(e->text, " near '");
	const char *end = near ? strrchr(near + 7, '\'') : NULL;
	size_t token = end ? (size_t)(end - near - 7) : 0;
	size_t at = e->position < 0 ? 0 : (size_t)e->position;

	at = at > len ? len : at;
	return at >= token ? at - token + 1 : 1;
}

/* The words before "near", which may quote a password. */
static int safe_words(const json_error_t *e)
{
	const char *near = strstr(e->text, " near ");

	return near ? (int)(near - e->text) : (int)strlen(e->text);
}

json_t *json_text_parse(char *text, size_t len, struct problems *p)
{
	json_error_t e;
	const char *nul = memchr(text, 0, len);
	const char *what;
	conf_place at = 0;
	json_t *root;

	if (nul) { /* jansson would skip it */
		problem_add(p, PROBLEM_ERROR, (conf_place)(nul - text) + 1, "a NUL byte: this is no text");
		return NULL;
	}
	if (blank_all(text, len, &at) != 0) {
		problem_add(p, PROBLEM_ERROR, at, "this comment never ends");
		return NULL;
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	what = root || !p->text ? NULL : foreign_text(p->text, p->text_len);
	if (what)
		problem_add(p, PROBLEM_ERROR, 0, "%s", what);
	else if (!root)
		problem_add(p, PROBLEM_ERROR, syntax_place(&e, len), "no JSON: %.*s", safe_words(&e), e.text);
	sodium_memzero(&e, sizeof(e));
	return root;
}

static void skip_space(struct cursor *c)
{
	while (c->at < c->len && is_space(c->text[c->at]))
		c->at++;
}

/* The next byte that is not space must be `want`; it is taken. */
static int take(struct cursor *c, char want)
{
	skip_space(c);
	if (c->at >= c->len || c->text[c->at] != want)
		return -EINVAL;
	c->at++;
	return 0;
}

static int add_place(struct json_places *p, const struct json_place *item)
{
	if (array_reserve(&p->items, &p->room, p->n + 1, sizeof(*p->items)) < 0)
		return -ENOMEM;
	p->items[p->n++] = *item;
	return 0;
}

static int walk_value(struct json_places *p, struct cursor *c, const json_t *value);

static int walk_object(struct json_places *p, struct cursor *c, const json_t *object)
{
	json_t *o = (json_t *)object; /* jansson's iterators are not const */
	int err = take(c, '{');

	for (void *it = json_object_iter(o); !err && it; it = json_object_iter_next(o, it)) {
		struct json_place item = { .parent = object, .key = json_object_iter_key(it) };

		skip_space(c);
		item.key_at = c->at + 1;
		c->at = string_end(c->text, c->at, c->len);
		err = take(c, ':');
		skip_space(c);
		item.value_at = c->at + 1;
		if (!err)
			err = add_place(p, &item);
		if (!err)
			err = walk_value(p, c, json_object_iter_value(it));
		if (!err && json_object_iter_next(o, it))
			err = take(c, ',');
	}
	return err ? err : take(c, '}');
}

static int walk_array(struct json_places *p, struct cursor *c, const json_t *array)
{
	size_t n = json_array_size(array);
	int err = take(c, '[');

	for (size_t i = 0; !err && i < n; i++) {
		struct json_place item = { .parent = array, .index = i };

		skip_space(c);
		item.key_at = item.value_at = c->at + 1;
		err = add_place(p, &item);
		if (!err)
			err = walk_value(p, c, json_array_get(array, i));
		if (!err && i + 1 < n)
			err = take(c, ',');
	}
	return err ? err : take(c, ']');
}

static int walk_value(struct json_places *p, struct cursor *c, const json_t *value)
{
	if (json_is_object(value))
		return walk_object(p, c, value);
	if (json_is_array(value))
		return walk_array(p, c, value);
	skip_space(c);
	if (c->at >= c->len)
		return -EINVAL;
	if (c->text[c->at] == '"')
		c->at = string_end(c->text, c->at, c->len);
	else
		while (c->at < c->len && !strchr(",]}", c->text[c->at]) && !is_space(c->text[c->at]))
			c->at++;
	return 0;
}

int json_places_build(struct json_places *p, const char *text, size_t len, const json_t *root)
{
	struct cursor c = { .text = text, .len = len };
	int err;

	*p = (struct json_places){ 0 };
	err = walk_value(p, &c, root);
	if (err)
		json_places_free(p);
	return err;
}

static const struct json_place *find(struct json_places *p, const json_t *parent, const char *key, size_t index)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t at = (p->hint + i) % p->n;
		const struct json_place *item = &p->items[at];

		if (item->parent != parent || !item->key != !key)
			continue;
		if (key ? strcmp(item->key, key) == 0 : item->index == index) {
			p->hint = at;
			return item;
		}
	}
	return NULL;
}

const struct json_place *json_places_key(struct json_places *p, const json_t *parent, const char *key)
{
	return find(p, parent, key, 0);
}

const struct json_place *json_places_item(struct json_places *p, const json_t *parent, size_t index)
{
	return find(p, parent, NULL, index);
}

void json_places_free(struct json_places *p)
{
	free(p->items);
	*p = (struct json_places){ 0 };
}
