/*
 * A config file for each command. What is accepted has servers that could be
 * used; what is refused says why.
 */
#include "fuzz.h"

#include "conf/load.h"

static const uint32_t commands[] = { FOR_RUN, FOR_SERVER, FOR_LOCAL, FOR_CHECK };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint32_t command = commands[input_byte(&in) % 4];
	size_t len = in.left;
	char *text = (char *)input_block(&in, len);
	struct config config;
	struct loading l;
	bool ok;

	config_init(&config);
	load_begin(&l, &config);
	ok = load_text(&l, "fuzz", text, len) && load_finish(&l, command);
	must(ok || l.problems.n_errors > 0);
	for (int i = 0; ok && i < config.n_servers; i++)
		must(config.servers[i].method && config.servers[i].tag && config.servers[i].mode);
	load_end(&l);
	config_free(&config);
	free(text);
	return 0;
}
