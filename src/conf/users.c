/* Files of users; see users.h. They hold passwords: what jansson frees is wiped. */
#include "conf/users.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "conf/json_text.h"

#define NAME_MAX_LEN 255 /* RFC 1929's one byte of length */
#define SHOWN 120

static bool refuse(const struct spec_text *path, struct problems *p, const char *why)
{
	char shown[SHOWN];

	problem_add(p, PROBLEM_ERROR, path->at, "the users' file %s: %s",
		    log_escape(path->text, strlen(path->text), shown, sizeof(shown)), why);
	return false;
}

static const char *keep(struct config *c, const char *text)
{
	const char *copy = config_keep_text(c, text, strlen(text));

	if (!copy)
		die(1, "out of memory");
	return copy;
}

static bool add_user(const json_t *user, struct config *c, struct config_users *out)
{
	const char *name = json_string_value(json_object_get(user, "user_name"));
	const char *password = json_string_value(json_object_get(user, "password"));

	if (!name || !password || strlen(name) > NAME_MAX_LEN || strlen(password) > NAME_MAX_LEN)
		return false;
	out->items[out->n].name = keep(c, name);
	out->items[out->n].password = keep(c, password);
	out->n++;
	return true;
}

static bool read_users(const json_t *users, const struct spec_text *path, struct config *c, struct config_users *out,
		       struct problems *p)
{
	size_t n = json_array_size(users);

	if (n == 0) /* nobody could get in, which is hardly what is meant */
		return refuse(path, p, "it names no user for this inbound's protocol");
	out->items = calloc(n, sizeof(*out->items));
	if (!out->items)
		die(1, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (!add_user(json_array_get(users, i), c, out))
			return refuse(path, p, "a user is an object with \"user_name\" and \"password\", of at most 255 bytes each");
	return true;
}

bool users_read(const struct spec_text *path, const char *section, struct config *c, struct config_users *out, struct problems *p)
{
	json_error_t e;
	json_t *root;
	bool ok;

	json_wipe_memory();
	root = json_load_file(path->text, JSON_REJECT_DUPLICATES, &e);
	if (!root)
		return refuse(path, p, json_error_code(&e) == json_error_cannot_open_file ? "cannot be opened" : "is no JSON");
	ok = read_users(json_object_get(json_object_get(root, section), "users"), path, c, out, p);
	json_decref(root);
	return ok;
}
