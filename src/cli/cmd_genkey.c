/* `gatun genkey METHOD`: a password as strong as the method. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/args.h"
#include "conf/nearest.h"
#include "crypto/kdf.h"
#include "crypto/method.h"

static int unknown_method(const struct command *self, const char *name)
{
	struct nearest near = { .word = name };
	const struct ss_method *m;
	char shown[64];

	for (int i = 0; (m = ss_method_at(i)) != NULL; i++)
		nearest_offer(&near, m->name);
	log_escape(name, strlen(name), shown, sizeof(shown));
	if (near.best)
		return help_usage_error(self, "unknown method \"%s\", did you mean \"%s\"?", shown, near.best);
	return help_usage_error(self, "unknown method \"%s\" (`gatun ciphers` lists those that are known)", shown);
}

int cmd_genkey(const struct command *self, int argc, char **argv)
{
	char password[SS_PASSWORD_SIZE];
	const struct ss_method *method;

	if (args_want_help(self, argc, argv))
		return 0;
	if (argc != 2)
		return help_usage_error(self, "for which METHOD?");
	method = ss_method_find(argv[1]);
	if (!method)
		return unknown_method(self, argv[1]);
	ss_password_generate(method, password);
	puts(password);
	sodium_memzero(password, sizeof(password));
	return 0;
}
