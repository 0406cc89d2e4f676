/*
 * nft commands through libnftables; see nft.h. A context lives as long as one
 * call: it holds a netlink socket, which nobody who is forked later may inherit,
 * and a cache of what the kernel has, which would grow old.
 *
 * The library is loaded at the first command: only `up` and `doctor` have any.
 * Two habits of it are met here: it writes complaints to stderr unless
 * it is told to keep them, and it ends the process when it gets no netlink
 * socket, so that one is opened and closed before it is asked.
 *
 * It does not know what the commands are about.
 */
#include "sys/nft.h"

#include <errno.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/library.h"

static struct {
	__typeof__(nft_ctx_new) *ctx_new;
	__typeof__(nft_ctx_free) *ctx_free;
	__typeof__(nft_ctx_buffer_error) *ctx_buffer_error;
	__typeof__(nft_ctx_buffer_output) *ctx_buffer_output;
	__typeof__(nft_ctx_get_error_buffer) *ctx_get_error_buffer;
	__typeof__(nft_ctx_get_output_buffer) *ctx_get_output_buffer;
	__typeof__(nft_run_cmd_from_buffer) *run_cmd_from_buffer;
} nft;

static const struct library_call calls[] = {
	{ "nft_ctx_new", &nft.ctx_new },
	{ "nft_ctx_free", &nft.ctx_free },
	{ "nft_ctx_buffer_error", &nft.ctx_buffer_error },
	{ "nft_ctx_buffer_output", &nft.ctx_buffer_output },
	{ "nft_ctx_get_error_buffer", &nft.ctx_get_error_buffer },
	{ "nft_ctx_get_output_buffer", &nft.ctx_get_output_buffer },
	{ "nft_run_cmd_from_buffer", &nft.run_cmd_from_buffer },
};
static struct library libnftables = { .soname = "libnftables.so.1", .calls = calls, .n = sizeof(calls) / sizeof(calls[0]) };

/* libnftables gives a sentence and no errno; its sentences end in strerror()'s words. */
static const int known_errors[] = {
	EPERM, EACCES, EEXIST, ENOENT, EBUSY, ENOMEM, EOPNOTSUPP, EPROTONOSUPPORT, EAFNOSUPPORT, ENOBUFS, ENOSPC, ERANGE
};

static int error_of(const char *sentence)
{
	for (size_t i = 0; i < sizeof(known_errors) / sizeof(known_errors[0]); i++)
		if (strstr(sentence, strerror(known_errors[i])))
			return -known_errors[i];
	return -EINVAL;
}

/* "/dev/stdin:1:5-9: Error: Could not process rule: No such file or directory\n..." */
static int take_complaint(const char *said, char *err, size_t size)
{
	const char *mark = said ? strstr(said, "Error: ") : NULL;
	const char *from = mark ? mark + strlen("Error: ") : said && *said ? said : "nft failed and did not say why";
	int length = (int)strcspn(from, "\n");

	if (size)
		snprintf(err, size, "nft: %.*s", length, from);
	return error_of(from);
}

static int try_socket(char *err, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int e = errno;

	if (fd >= 0)
		return close(fd), 0;
	if (size)
		snprintf(err, size, "nft: the kernel has no netfilter netlink (%s): modprobe nf_tables", strerror(e));
	return -e;
}

static struct nft_ctx *open_context(char *err, size_t size, int *result)
{
	struct nft_ctx *ctx;

	*result = try_socket(err, size);
	if (!*result && library_need(&libnftables, err, size))
		*result = -ELIBACC; /* -ENOENT is what the kernel says of what it lacks */
	if (*result)
		return NULL;
	ctx = nft.ctx_new(NFT_CTX_DEFAULT);
	if (ctx && !nft.ctx_buffer_error(ctx) && !nft.ctx_buffer_output(ctx))
		return ctx;
	nft.ctx_free(ctx);
	if (size)
		snprintf(err, size, "nft: no memory");
	*result = -ENOMEM;
	return NULL;
}

int nft_ask(const char *commands, char **out, char *err, size_t size)
{
	int result;
	struct nft_ctx *ctx = open_context(err, size, &result);

	*out = NULL;
	if (!ctx)
		return result;
	if (nft.run_cmd_from_buffer(ctx, commands))
		result = take_complaint(nft.ctx_get_error_buffer(ctx), err, size);
	else if (!(*out = strdup(nft.ctx_get_output_buffer(ctx))))
		result = -ENOMEM;
	nft.ctx_free(ctx);
	return result;
}

int nft_run(const char *commands, char *err, size_t size)
{
	char *said;
	int result = nft_ask(commands, &said, err, size);

	free(said);
	return result;
}
