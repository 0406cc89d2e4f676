/* See completion.h. The kind of a value is read off its row: its type, and its argument's name in help. */
#include "cli/completion.h"

#include <string.h>

#include "crypto/method.h"

static const struct {
	const char *shell;
	void (*print)(FILE *);
} shells[] = {
	{ "bash", completion_print_bash },
	{ "zsh", completion_print_zsh },
	{ "fish", completion_print_fish },
};

bool completion_print(FILE *f, const char *shell)
{
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(shells[i].shell, shell) != 0)
			continue;
		shells[i].print(f);
		return true;
	}
	return false;
}

const char *completion_shells(void)
{
	return "bash, zsh, fish";
}

/* ---- words ---- */

/* "a|b|c" with blanks between. */
static void split_words(const char *alternatives, char words[COMPLETION_WORDS])
{
	snprintf(words, COMPLETION_WORDS, "%s", alternatives);
	for (char *p = words; *p; p++)
		if (*p == '|')
			*p = ' ';
}

static void list_methods(char words[COMPLETION_WORDS])
{
	size_t len = 0;

	words[0] = 0;
	for (int i = 0; ss_method_at(i) && len < COMPLETION_WORDS; i++)
		len += (size_t)snprintf(words + len, COMPLETION_WORDS - len, "%s%s", i ? " " : "", ss_method_at(i)->name);
}

/* Are the alternatives of an argument's name words to type? "fake|IP|off" has one that is not. */
static bool are_words(const char *arg)
{
	if (!strchr(arg, '|'))
		return false;
	for (const char *p = arg; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			return false;
	return true;
}

size_t completion_sentence(const char *doc)
{
	const char *p = doc;

	while (*p && !(*p == '.' && (!p[1] || p[1] == ' ')))
		p++;
	return (size_t)(p - doc);
}

/* ---- kinds ---- */

static const struct {
	const char *arg;
	enum completion_kind kind;
} by_name[] = {
	{ "FILE", COMPLETE_FILE },
	{ "PATH", COMPLETE_FILE },
	{ "IFACE", COMPLETE_DEVICE },
	{ "USER", COMPLETE_USER },
};

enum completion_kind completion_of_option(const struct option_row *r, char words[COMPLETION_WORDS])
{
	if (!r->arg)
		return COMPLETE_NOTHING;
	if (strcmp(r->arg, "METHOD") == 0) {
		list_methods(words);
		return COMPLETE_WORDS;
	}
	if (r->words || are_words(r->arg)) {
		split_words(r->words ? r->words : r->arg, words);
		return COMPLETE_WORDS;
	}
	if (strcmp(r->arg, "fake|IP|off") == 0) {
		split_words("fake|off", words);
		return COMPLETE_WORDS;
	}
	for (size_t i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++)
		if (strcmp(by_name[i].arg, r->arg) == 0)
			return by_name[i].kind;
	return strcmp(r->flag, "user") == 0 ? COMPLETE_USER : strcmp(r->flag, "plugin") == 0 ? COMPLETE_PROGRAM : COMPLETE_FREE;
}

enum completion_kind completion_of_argument(const struct command *c, char words[COMPLETION_WORDS])
{
	if (strcmp(c->name, "status") == 0) {
		split_words("flows|kill|flush", words);
		return COMPLETE_WORDS;
	}
	if (strcmp(c->name, "genkey") == 0) {
		list_methods(words);
		return COMPLETE_WORDS;
	}
	if (strcmp(c->name, "help") == 0)
		return COMPLETE_COMMANDS;
	return strstr(c->synopsis, "FILE") ? COMPLETE_FILE : COMPLETE_FREE;
}

const struct option_row *completion_option(const struct command *c, int i)
{
	for (const struct option_row *r = option_table(); r->key || r->flag; r++)
		if (r->flag && (r->where & c->option_bit) && i-- == 0)
			return r;
	return NULL;
}
