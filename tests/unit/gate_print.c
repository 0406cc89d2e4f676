/* What is printed is what is built: run as a script, it leaves the kernel as gate_up does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "gate_rig.h"
#include "in_child.h"

static void print_to(const struct gate_plan *p, const char *path)
{
	FILE *out = fopen(path, "w");

	EXPECT(1, out && gate_print(p, GATE_FORM_NFT, out) == 0);
	EXPECT(2, fclose(out) == 0);
}

/* The owner's file is no command's. */
static void forget_state(void)
{
	EXPECT(3, sh("rm -rf /run/gatun") == 0);
}

static void same_as_built(const struct gate_plan *p)
{
	char words[512];
	int owner;

	print_to(p, "/run/commands");
	EXPECT(4, gate_up(p, words, sizeof(words)) == 0);
	EXPECT(5, gate_down(false, &owner, words, sizeof(words)) == 0);
	forget_state();
	snapshot("before");
	EXPECT(6, gate_up(p, words, sizeof(words)) == 0);
	EXPECT(7, sh("mv /run/gatun /run/gatun.kept") == 0);
	snapshot("built");
	EXPECT(8, sh("! cmp -s /run/before /run/built") == 0);
	EXPECT(9, sh("mv /run/gatun.kept /run/gatun") == 0);
	EXPECT(10, gate_down(false, &owner, words, sizeof(words)) == 0);
	forget_state();
	EXPECT(11, sh("sh -e /run/commands") == 0);
	snapshot("typed");
	EXPECT(12, same_snapshots("built", "typed"));
	EXPECT(13, gate_down(false, &owner, words, sizeof(words)) == 0); /* by their sign alone */
	forget_state();
}

static void child(void)
{
	const struct gate_prefix excludes[] = { prefix_of("203.0.113.0", 24), prefix_of("2001:db8:77::", 48) };
	const struct gate_prefix routes[] = { prefix_of("198.18.0.0", 15), prefix_of("2001:db8:88::", 48) };
	const struct gate_range uids[] = { { 1000, 1999 }, { 7, 7 } };
	struct gate_plan p = plan_of(GATE_TPROXY);

	enter_machine();
	p.kill_switch = p.dhcp = true;
	p.excludes = excludes, p.n_excludes = 2;
	same_as_built(&p);
	p.pick = GATE_EXCEPT, p.uids = uids, p.n_uids = 2, p.plugin_uid = 998;
	same_as_built(&p);
	p = plan_of(GATE_REDIRECT);
	p.pick = GATE_ONLY, p.uids = uids, p.n_uids = 2;
	same_as_built(&p);
	p = plan_of(GATE_REDIRECT);
	p.routes = routes, p.n_routes = 2;
	p.ipv6 = false;
	same_as_built(&p);
	_exit(0);
}

static void prints_what_it_builds(void **state)
{
	(void)state;
	passes(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_it_builds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
