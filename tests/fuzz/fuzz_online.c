/*
 * A SIP008 document. What is taken are servers that could be used, marked as what
 * they are, with plugins that were allowed and nothing else of this machine's.
 */
#include "fuzz.h"

#include <string.h>

#include "conf/online.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const allowed[] = { "obfs-local", NULL };
	struct input in = { data, size };
	struct online_document d;
	struct config config;
	size_t len = in.left;
	char *text = (char *)input_block(&in, len);
	const char *why = NULL;
	int err;

	config_init(&config);
	config.online_plugins = allowed;
	err = online_read(&config, text, len, NULL, &d, &why);
	must((err == 0) == (config.n_servers > 0) && (err == 0) == (why == NULL));
	must(err || d.n_servers == config.n_servers);
	for (int i = 0; i < config.n_servers; i++) {
		const struct config_server *s = &config.servers[i];

		must(s->method && s->tag && s->mode && s->online && !s->n_hops && !s->n_users && target_port(&s->address));
		must(!s->plugin.name || strcmp(s->plugin.name, "obfs-local") == 0);
	}
	config_free(&config);
	free(text);
	return 0;
}
