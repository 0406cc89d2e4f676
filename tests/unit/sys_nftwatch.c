/* What a datagram of nf_tables' says of tables: whole messages, several, and cut short anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "sys/nftwatch.h"

static _Alignas(struct nlmsghdr) char datagram[256];
static size_t len;

static void add(uint16_t type, uint32_t size)
{
	struct nlmsghdr h = { .nlmsg_len = size, .nlmsg_type = type };

	memcpy(datagram + len, &h, sizeof(h));
	len += NLMSG_ALIGN(size);
}

static uint16_t of_tables(int message)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
}

static void test_a_removal_is_found_wherever_it_stands(void **state)
{
	(void)state;
	memset(datagram, 0, sizeof(datagram));
	len = 0;
	assert_false(nftwatch_says_removed(datagram, 0));
	add(of_tables(NFT_MSG_NEWTABLE), 20);
	add(of_tables(NFT_MSG_DELRULE), 37);
	assert_false(nftwatch_says_removed(datagram, len));
	add(of_tables(NFT_MSG_DELTABLE), 20);
	add(of_tables(NFT_MSG_NEWGEN), 20);
	assert_true(nftwatch_says_removed(datagram, len));
	len = 0;
	add(NLMSG_OVERRUN, 16);
	assert_true(nftwatch_says_removed(datagram, len));
}

static void test_what_is_cut_short_counts_as_one(void **state)
{
	(void)state;
	memset(datagram, 0, sizeof(datagram));
	len = 0;
	add(of_tables(NFT_MSG_NEWTABLE), 20);
	add(of_tables(NFT_MSG_NEWGEN), 24);
	for (size_t n = 1; n <= len; n++)
		assert_int_equal(nftwatch_says_removed(datagram, n), n != 20 && n != len);
	((struct nlmsghdr *)(void *)datagram)->nlmsg_len = 15;
	assert_true(nftwatch_says_removed(datagram, len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_removal_is_found_wherever_it_stands),
		cmocka_unit_test(test_what_is_cut_short_counts_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
