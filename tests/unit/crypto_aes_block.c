/* AES on one block: FIPS 197's answers, from both implementations, and back. */
#include "vectors.h"

#include <sys/wait.h>
#include <unistd.h>

#include "crypto/aes_block.h"
#include "crypto/random.h"

static void check(size_t key_len, const char *want_hex, bool soft)
{
	uint8_t key[32], in[16], want[16], out[16];
	struct aes_block a;

	count_up(key, 0, 32);
	unhex("00112233445566778899aabbccddeeff", in, 16);
	unhex(want_hex, want, 16);
	aes_block_init_as(&a, key, key_len, soft);
	aes_block_encrypt(&a, in, out);
	assert_memory_equal(out, want, 16);
	aes_block_decrypt(&a, out, out);
	assert_memory_equal(out, in, 16);
}

/* Appendix C.1 and C.3. */
static void fips_197(void **state)
{
	(void)state;
	for (int soft = 0; soft < 2; soft++) {
		check(16, "69c4e0d86a7b0430d8cdb78070b4c55a", soft);
		check(32, "8ea2b7ca516745bfeafc49904b496089", soft);
	}
}

static void implementations_agree(void **state)
{
	uint8_t key[32], in[16], one[16], two[16];
	struct aes_block a, b;

	(void)state;
	for (int i = 0; i < 500; i++) {
		size_t len = i % 2 ? 16 : 32;

		random_bytes(key, 32);
		random_bytes(in, 16);
		aes_block_init(&a, key, len);
		aes_block_init_as(&b, key, len, true);
		aes_block_encrypt(&a, in, one);
		aes_block_encrypt(&b, in, two);
		assert_memory_equal(one, two, 16);
		aes_block_decrypt(&a, in, one);
		aes_block_decrypt(&b, in, two);
		assert_memory_equal(one, two, 16);
	}
}

/* A forked child must not hand out the salts that its parent will. */
static void a_child_draws_its_own_random_bytes(void **state)
{
	uint8_t mine[32], theirs[32];
	int pipe_fds[2], status;
	pid_t child;

	(void)state;
	random_bytes(mine, 8); /* the batch is drawn */
	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0) {
		random_bytes(theirs, 32);
		_exit(write(pipe_fds[1], theirs, 32) != 32);
	}
	assert_int_equal(read(pipe_fds[0], theirs, 32), 32);
	random_bytes(mine, 32);
	assert_memory_not_equal(mine, theirs, 32);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fips_197),
		cmocka_unit_test(implementations_agree),
		cmocka_unit_test(a_child_draws_its_own_random_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
