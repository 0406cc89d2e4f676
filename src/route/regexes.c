/*
 * Perl-compatible expressions by PCRE2, as shadowsocks-libev has them; they
 * read what people write for shadowsocks-rust too, except that its classes are
 * spelled out in lower case by that program (\S becomes \s there).
 *
 * The bounds: MATCH_LIMIT steps of backtracking, DEPTH_LIMIT nested ones and
 * HEAP_KIB of memory for one expression and one name; the JIT compiler's code
 * obeys the first, and its stack is the default of 32 KiB. Where the JIT is
 * not allowed (a kernel that forbids writable code) the same is interpreted.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "route/regexes.h"

#include <errno.h>
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/log.h"

#define MATCH_LIMIT 20000
#define DEPTH_LIMIT 1000
#define HEAP_KIB 1024
#define PARENS_MAX 50
#define OPTIONS (PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF)

struct regex_tools {
	pcre2_compile_context *compile;
	pcre2_match_context *match;
	pcre2_match_data *data; /* of one pair: whether it matches is all that is asked */
};

static void free_tools(struct regex_tools *t)
{
	if (!t)
		return;
	pcre2_compile_context_free(t->compile);
	pcre2_match_context_free(t->match);
	pcre2_match_data_free(t->data);
	free(t);
}

static struct regex_tools *make_tools(void)
{
	struct regex_tools *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->compile = pcre2_compile_context_create(NULL);
	t->match = pcre2_match_context_create(NULL);
	t->data = pcre2_match_data_create(1, NULL);
	if (!t->compile || !t->match || !t->data) {
		free_tools(t);
		return NULL;
	}
	pcre2_set_parens_nest_limit(t->compile, PARENS_MAX);
	pcre2_set_match_limit(t->match, MATCH_LIMIT);
	pcre2_set_depth_limit(t->match, DEPTH_LIMIT);
	pcre2_set_heap_limit(t->match, HEAP_KIB);
	return t;
}

static int make_room(struct regex_set *s)
{
	if (!s->tools && !(s->tools = make_tools()))
		return -ENOMEM;
	return array_reserve(&s->codes, &s->room, (size_t)s->n + 1, sizeof(*s->codes));
}

int regex_add(struct regex_set *s, const char *pattern, size_t len, struct regex_error *why)
{
	pcre2_code *code;
	PCRE2_SIZE at;
	int err;

	if (make_room(s) < 0)
		return -ENOMEM;
	code = pcre2_compile((PCRE2_SPTR)pattern, len, OPTIONS, &err, &at, s->tools->compile);
	if (!code) {
		pcre2_get_error_message(err, (PCRE2_UCHAR *)why->text, sizeof(why->text));
		why->at = at < len ? at : len;
		return err == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -EINVAL;
	}
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* else it is interpreted */
	s->codes[s->n++] = code;
	return 0;
}

bool regex_matches(const struct regex_set *s, const char *name, size_t len, bool unsure)
{
	for (unsigned i = 0; i < s->n; i++) {
		int found = pcre2_match(s->codes[i], (PCRE2_SPTR)name, len, 0, 0, s->tools->data, s->tools->match);

		if (found >= 0)
			return true;
		if (found == PCRE2_ERROR_NOMATCH)
			continue;
		log_warn("a regular expression of the ACL gave up on a name: it takes too many steps expression=%u", i + 1);
		if (unsure)
			return true;
	}
	return false;
}

void regex_free(struct regex_set *s)
{
	for (unsigned i = 0; i < s->n; i++)
		pcre2_code_free(s->codes[i]);
	free(s->codes);
	free_tools(s->tools);
	*s = (struct regex_set){ 0 };
}
