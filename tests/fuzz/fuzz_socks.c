/*
 * SOCKS5, SOCKS4 and 4a, both halves: each reader on each prefix of the input that matters
 * (bytes arrive in parts), and the reassembly of UDP fragments.
 */
#include "fuzz.h"

#include "proto/socks_client.h"
#include "proto/socks_frag.h"

typedef ssize_t reader(const uint8_t *, size_t, void *);

static ssize_t greeting(const uint8_t *b, size_t n, void *out) { return socks_read_greeting(b, n, out); }
static ssize_t login(const uint8_t *b, size_t n, void *out) { return socks_read_login(b, n, out); }
static ssize_t request5(const uint8_t *b, size_t n, void *out) { return socks_read_request(b, n, out); }
static ssize_t request4(const uint8_t *b, size_t n, void *out) { return socks4_read_request(b, n, out); }

static ssize_t method(const uint8_t *b, size_t n, void *out) { return socks_read_method(b, n, out); }
static ssize_t status(const uint8_t *b, size_t n, void *out) { return socks_read_login_status(b, n, out); }

static ssize_t reply(const uint8_t *b, size_t n, void *out)
{
	uint8_t word;

	return socks_read_reply(b, n, &word, out);
}

static reader *const readers[] = { greeting, login, request5, request4 };
static reader *const answers[] = { method, status, reply };

/* More bytes never take back what fewer have said. */
static void read_in_parts(reader *read, const uint8_t *data, size_t size)
{
	union {
		struct socks_greeting greeting;
		struct socks_login login;
		struct socks_request request;
		struct target bound;
		uint8_t method;
		bool ok;
	} out;
	ssize_t before = 0;

	for (size_t n = 0; n <= size && n <= SOCKS_MAX; n++) {
		struct input in = { data, n };
		uint8_t *block = input_block(&in, n);
		ssize_t used = read(block, n, &out);

		must(used <= (ssize_t)n && (!before || used == before));
		before = used;
		free(block);
	}
	must(size < SOCKS_MAX || before != 0);
}

/* The input as a train of datagrams, each behind its length. */
static void read_datagrams(struct input *in)
{
	uint8_t *queue = malloc(SOCKS_FRAG_DATA_MAX);
	struct socks_frag frag = { .data = queue };

	while (in->left) {
		size_t len = input_byte(in);
		uint8_t *block = input_block(in, len);
		struct socks_datagram d;

		if (socks_read_datagram(block, len, &d) == 0) {
			must(d.header_len <= len);
			if (d.frag)
				socks_frag_add(&frag, d.frag, &d.target, block + d.header_len, len - d.header_len);
			must(frag.len <= SOCKS_FRAG_DATA_MAX);
		}
		free(block);
	}
	free(queue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t choice = input_byte(&in);

	if (choice >= 0x80)
		read_in_parts(answers[choice % 3], in.at, in.left);
	else if (choice % 5 == 4)
		read_datagrams(&in);
	else
		read_in_parts(readers[choice % 5], in.at, in.left);
	return 0;
}
