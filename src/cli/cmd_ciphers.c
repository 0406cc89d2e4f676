/* `gatun ciphers [--bench]`: the methods, what computes each on this machine,
 * and how fast. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "crypto/ciphers.h"

static void print_cipher(const struct cipher_info *info, bool bench)
{
	bool same = !info->udp_backend || strcmp(info->backend, info->udp_backend) == 0;
	char backends[64];

	snprintf(backends, sizeof(backends), "%s%s%s", info->backend, same ? "" : ", UDP ", same ? "" : info->udp_backend);
	printf("%-30s %3u bits  %-*s", info->method->name, info->method->key_len * 8, bench ? 24 : 0, backends);
	if (bench)
		printf(" %6.2f %6.2f", info->small_gbps, info->large_gbps);
	putchar('\n');
}

int cmd_ciphers(const struct command *self, int argc, char **argv)
{
	bool bench = argc == 2 && strcmp(argv[1], "--bench") == 0;
	struct cipher_info info;

	if (args_want_help(self, argc, argv))
		return 0;
	if (argc > 2 || (argc == 2 && !bench))
		return help_usage_error(self, "unexpected argument");
	printf("%-30s %-9s %-*s%s\n", "method", "key", bench ? 24 : 0, "computed by",
	       bench ? "   GB/s sealing 1,400 B, 16 KiB" : "");
	for (int i = 0; crypto_cipher_at(i, bench, &info); i++) {
		print_cipher(&info, bench);
		fflush(stdout);
	}
	return 0;
}
