/*
 * The file, line by line. A line is a comment, the name of a mode or of a list
 * in brackets, or a rule of the list named last (of the bypass list before any):
 *
 *	192.0.2.0/24  2001:db8::1	addresses
 *	|example.org			this name
 *	||example.org			it and all below it
 *	(^|\.)example\.org$		an expression; of this shape, the same as above
 *
 * Both dialects are read at once, because neither gives the other's lines
 * another meaning that anybody uses. What neither would ever match as it was
 * meant (10.0.0.0/40, an unknown [list]) is an error here with its place, and
 * the reading goes on to the end.
 *
 * Expressions of the shapes that people generate by the thousand become
 * names, exactly where the name means the same: only then do they cost nothing.
 */
#include "route/acl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/nearest.h"
#include "conf/text_file.h"
#include "proto/dns_message.h"

#define SHOWN 80
#define PROBLEMS_MAX 1000
#define LABEL_MAX 63
#define HEADER_MAX 32 /* bytes of the longest word in brackets, and some */

struct reader {
	struct acl *acl;
	struct acl_list *list; /* that rules go to now */
	struct problems *problems;
	const char *text; /* the whole, for places */
	unsigned n_rules, n_regexes;
	bool advised, full, out_of_memory;
};

struct span {
	const char *at;
	size_t len;
};

static const struct header {
	const char *word;
	int list; /* or -1: a mode */
	size_t mode; /* offset of its flag in struct acl */
	bool value;
} headers[] = {
	{ "proxy_all", -1, offsetof(struct acl, bypass_all), false },
	{ "accept_all", -1, offsetof(struct acl, bypass_all), false },
	{ "bypass_all", -1, offsetof(struct acl, bypass_all), true },
	{ "reject_all", -1, offsetof(struct acl, bypass_all), true },
	{ "outbound_allow_all", -1, offsetof(struct acl, block_all), false },
	{ "outbound_block_all", -1, offsetof(struct acl, block_all), true },
	{ "bypass_list", ACL_BYPASS, 0, false },
	{ "black_list", ACL_BYPASS, 0, false },
	{ "proxy_list", ACL_PROXY, 0, false },
	{ "white_list", ACL_PROXY, 0, false },
	{ "outbound_block_list", ACL_BLOCK, 0, false },
	{ "outbound_allow_list", ACL_ALLOW, 0, false },
};

/* ---- what is said of a line ---- */

static const char *show(struct span s, char *buf)
{
	return log_escape(s.at, s.len, buf, SHOWN);
}

static bool may_add(struct reader *r)
{
	if (r->problems->n < PROBLEMS_MAX)
		return true;
	if (!r->full)
		problem_add(r->problems, PROBLEM_ERROR, 0, "more than %d problems: what comes after them is not shown", PROBLEMS_MAX);
	r->full = true;
	return false;
}

#define SAY(r_, kind_, at_, ...) \
	do { \
		if (may_add(r_)) \
			problem_add((r_)->problems, (kind_), (conf_place)((at_) - (r_)->text) + 1, __VA_ARGS__); \
	} while (0)

/* The end of adding a rule. */
static void added(struct reader *r, int err)
{
	if (err == -ENOMEM)
		r->out_of_memory = true;
}

/* ---- headers ---- */

static bool is_word_byte(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

/* "[word]" and nothing else: a list's name, or a class of letters that an
 * expression would hardly be. */
static bool is_header(struct span s)
{
	if (s.len < 4 || s.at[0] != '[' || s.at[s.len - 1] != ']' || !memchr(s.at, '_', s.len))
		return false;
	for (size_t i = 1; i < s.len - 1; i++)
		if (!is_word_byte(s.at[i]))
			return false;
	return true;
}

static void unknown_header(struct reader *r, struct span s, const char *word)
{
	struct nearest near = { .word = word };
	char shown[SHOWN];

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		nearest_offer(&near, headers[i].word);
	SAY(r, PROBLEM_ERROR, s.at, "no list is called %s%s%s%s", show(s, shown), near.best ? ", did you mean [" : "",
	    near.best ? near.best : "", near.best ? "]?" : "");
}

static void read_header(struct reader *r, struct span s)
{
	char word[HEADER_MAX] = "";

	if (s.len - 2 < sizeof(word))
		memcpy(word, s.at + 1, s.len - 2);
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		const struct header *h = &headers[i];

		if (strcmp(word, h->word) != 0)
			continue;
		if (h->list >= 0)
			r->list = &r->acl->lists[h->list];
		else
			*(bool *)((char *)r->acl + h->mode) = h->value;
		return;
	}
	unknown_header(r, s, word);
}

/* ---- names ---- */

static bool is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Into lower case without a last dot. Its length, or -EINVAL with *bad at what is wrong. */
static int take_name(struct span s, char *out, const char **bad)
{
	size_t label = 0;

	if (s.len && s.at[s.len - 1] == '.')
		s.len--;
	*bad = s.at;
	if (!s.len || s.len > DNS_NAME_TEXT_MAX)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		*bad = s.at + i;
		label = c == '.' ? 0 : label + 1;
		if (c == '.' ? i == 0 || s.at[i - 1] == '.' : !is_label_byte(c) || label > LABEL_MAX)
			return -EINVAL;
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	return (int)s.len;
}

static void add_name(struct reader *r, const char *name, size_t len, enum domain_cover cover)
{
	r->list->n_names++;
	added(r, domain_add(&r->list->names, name, len, cover));
}

static void read_name(struct reader *r, struct span s, enum domain_cover cover)
{
	char name[DNS_NAME_TEXT_MAX], shown[SHOWN];
	const char *bad;
	int len = take_name(s, name, &bad);

	if (len < 0) {
		SAY(r, PROBLEM_ERROR, bad, "\"%s\" is no name of a host%s", show(s, shown),
		    memchr(s.at, '*', s.len) ? " (no * is needed: ||example.org is all below example.org too)" : "");
		return;
	}
	add_name(r, name, (size_t)len, cover);
}

/* ---- addresses ---- */

static bool parse_ip(struct span s, struct addr *out)
{
	char copy[INET6_ADDRSTRLEN];

	if (s.len >= sizeof(copy) || memchr(s.at, 0, s.len) || memchr(s.at, '[', s.len))
		return false;
	memcpy(copy, s.at, s.len);
	copy[s.len] = 0;
	return addr_parse_ip(copy, 0, out) == 0;
}

/* 0..max in digits, or -1. */
static int parse_bits(const char *at, size_t len, unsigned max)
{
	unsigned n = 0;

	if (!len || len > 3)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		n = n * 10 + (unsigned)(at[i] - '0');
	}
	return n > max ? -1 : (int)n;
}

static void add_address(struct reader *r, const struct addr *ip, unsigned bits)
{
	r->list->n_addresses++;
	added(r, cidr_add(&r->list->addresses, ip, bits));
}

/* False: it has not the form of an address. An IPv4 one in IPv6's clothes
 * (::ffff:a.b.c.d/N) is IPv4, as everywhere (base/addr.h). */
static bool read_address(struct reader *r, struct span s)
{
	const char *slash = memrchr(s.at, '/', s.len);
	struct span host = { s.at, slash ? (size_t)(slash - s.at) : s.len };
	struct addr ip;
	bool mapped;
	int bits;

	if (!parse_ip(host, &ip))
		return false;
	if (!slash) {
		add_address(r, &ip, cidr_bits_max(&ip));
		return true;
	}
	mapped = ip.family == AF_INET && memchr(host.at, ':', host.len);
	bits = parse_bits(slash + 1, (size_t)(s.at + s.len - slash - 1), mapped ? 128 : cidr_bits_max(&ip));
	if (mapped && bits >= 0)
		bits = bits < 96 ? -1 : bits - 96;
	if (bits >= 0)
		add_address(r, &ip, (unsigned)bits);
	else
		SAY(r, PROBLEM_ERROR, slash + 1, "a prefix of this address is %s bits long", mapped ? "96 to 128" :
		    ip.family == AF_INET6 ? "0 to 128" : "0 to 32");
	return true;
}

/* ---- expressions ---- */

static bool take_prefix(struct span *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->len < n || memcmp(s->at, prefix, n) != 0)
		return false;
	s->at += n;
	s->len -= n;
	return true;
}

/* What an expression begins with, if it means no more than these; else 0. */
static int take_beginning(struct span *s)
{
	static const struct { const char *text; enum domain_cover cover; } beginnings[] = {
		{ "(^|\\.)", DOMAIN_ALL },    { "(?:^|\\.)", DOMAIN_ALL }, { "^(.+\\.)?", DOMAIN_ALL }, { "^(.*\\.)?", DOMAIN_ALL },
		{ "^.+\\.", DOMAIN_BELOW },   { "^.*\\.", DOMAIN_BELOW },  { "\\.", DOMAIN_BELOW },	{ "^", DOMAIN_ITSELF },
	};

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++)
		if (take_prefix(s, beginnings[i].text))
			return beginnings[i].cover;
	return 0;
}

/* The name that an expression of a known shape means: its length, or 0. */
static size_t name_of_shape(struct span s, char *out, int *cover)
{
	size_t n = 0;

	*cover = take_beginning(&s);
	if (!*cover || s.len < 2 || s.at[s.len - 1] != '$')
		return 0;
	for (size_t i = 0; i < s.len - 1; i++) {
		char c = s.at[i];

		if (c == '\\' && (s.at[i + 1] == '.' || s.at[i + 1] == '-'))
			c = s.at[++i];
		else if (!is_label_byte(c))
			return 0;
		if (n == DNS_NAME_TEXT_MAX)
			return 0;
		out[n++] = c;
	}
	return n && out[n - 1] != '.' ? n : 0;
}

static void add_regex(struct reader *r, struct span s)
{
	struct regex_error why = { .text = "" };
	int err;

	if (++r->n_regexes > ACL_REGEXES_MAX) {
		if (r->n_regexes == ACL_REGEXES_MAX + 1)
			SAY(r, PROBLEM_ERROR, s.at, "more than %u expressions, each of which every name is tried on: write ||example.org for domains",
			    ACL_REGEXES_MAX);
		return;
	}
	err = regex_add(&r->list->regexes, s.at, s.len, &why);
	if (err == -EINVAL)
		SAY(r, PROBLEM_ERROR, s.at + why.at, "no address, no name and no regular expression: %s", why.text);
	r->list->n_regexes++;
	added(r, err);
}

/* "example.org" matches inside other names: hardly what is meant. */
static void advise(struct reader *r, struct span s)
{
	char shown[SHOWN];

	for (size_t i = 0; i < s.len; i++)
		if (!is_label_byte(s.at[i]) && s.at[i] != '.')
			return;
	if (!r->advised)
		SAY(r, PROBLEM_ADVICE, s.at, "\"%s\" is a regular expression, found anywhere in a name; ||%s is that domain alone",
		    show(s, shown), shown);
	r->advised = true;
}

static void read_regex(struct reader *r, struct span s)
{
	char shape[DNS_NAME_TEXT_MAX], name[DNS_NAME_TEXT_MAX];
	int cover;
	size_t len = name_of_shape(s, shape, &cover);
	const char *bad;

	if (len && take_name((struct span){ shape, len }, name, &bad) > 0) {
		add_name(r, name, len, (enum domain_cover)cover);
		return;
	}
	advise(r, s);
	add_regex(r, s);
}

/* ---- lines ---- */

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] >= 0x80)
			return false;
	return true;
}

static void read_rule(struct reader *r, struct span s)
{
	if (++r->n_rules > ACL_RULES_MAX) {
		if (r->n_rules == ACL_RULES_MAX + 1)
			SAY(r, PROBLEM_ERROR, s.at, "more than %u rules", ACL_RULES_MAX);
		return;
	}
	if (take_prefix(&s, "||"))
		read_name(r, s, DOMAIN_ALL);
	else if (take_prefix(&s, "|"))
		read_name(r, s, DOMAIN_ITSELF);
	else if (!read_address(r, s))
		read_regex(r, s);
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

static struct span trim(struct span s)
{
	while (s.len && is_space(s.at[0]))
		s.at++, s.len--;
	while (s.len && is_space(s.at[s.len - 1]))
		s.len--;
	return s;
}

static void read_line(struct reader *r, struct span s)
{
	const char *comment = memchr(s.at, '#', s.len);

	if (comment)
		s.len = (size_t)(comment - s.at);
	s = trim(s);
	if (!s.len)
		return;
	if (s.len > ACL_LINE_MAX)
		SAY(r, PROBLEM_ERROR, s.at, "a line of more than %u bytes", ACL_LINE_MAX);
	else if (memchr(s.at, 0, s.len))
		SAY(r, PROBLEM_ERROR, (const char *)memchr(s.at, 0, s.len), "a NUL byte: this is no text");
	else if (!is_ascii(s))
		SAY(r, PROBLEM_WARNING, s.at, "names in an ACL are written in ASCII (xn--...): this line has no effect");
	else if (is_header(s))
		read_header(r, s);
	else
		read_rule(r, s);
}

static void read_lines(struct reader *r, size_t len)
{
	const char *at = r->text, *end = r->text + len;

	if (len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3; /* a byte order mark */
	while (at < end && !r->out_of_memory) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;

		read_line(r, (struct span){ at, (size_t)(stop - at) });
		at = stop + 1;
	}
}

/* ---- life ---- */

struct acl *acl_ref(struct acl *a)
{
	a->refs++;
	return a;
}

void acl_unref(struct acl *a)
{
	if (!a || --a->refs)
		return;
	for (int i = 0; i < ACL_LISTS; i++) {
		cidr_free(&a->lists[i].addresses);
		domain_free(&a->lists[i].names);
		regex_free(&a->lists[i].regexes);
	}
	free(a);
}

struct acl *acl_parse(const char *text, size_t len, struct problems *p)
{
	struct reader r = { .acl = calloc(1, sizeof(struct acl)), .problems = p, .text = text };
	int errors = p->n_errors;

	if (!r.acl)
		return NULL;
	r.acl->refs = 1;
	r.list = &r.acl->lists[ACL_BYPASS];
	read_lines(&r, len);
	for (int i = 0; i < ACL_LISTS; i++)
		added(&r, cidr_seal(&r.acl->lists[i].addresses));
	if (!r.out_of_memory && p->n_errors == errors)
		return r.acl;
	acl_unref(r.acl);
	return NULL;
}

struct acl *acl_load(const char *path, enum problem_kind least, FILE *out)
{
	struct problems p = { .source = path };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = NULL;
	ssize_t len = fd < 0 ? -errno : text_file_read(fd, ACL_FILE_MAX, &text);
	struct acl *a = NULL;

	if (fd >= 0)
		close(fd);
	if (len == -EFBIG)
		problem_add(&p, PROBLEM_ERROR, 0, "the file is larger than %u MiB", ACL_FILE_MAX >> 20);
	else if (len < 0)
		problem_add(&p, PROBLEM_ERROR, 0, "cannot read it: %s", strerror((int)-len));
	else {
		p.text = text;
		p.text_len = (size_t)len;
		a = acl_parse(text, (size_t)len, &p);
		if (!a && !p.n_errors)
			problem_add(&p, PROBLEM_ERROR, 0, "out of memory");
	}
	problems_print(&p, least, out);
	problems_free(&p);
	free(text);
	return a;
}
