/* Config files: comments, places of errors, all errors, unknown and later keys,
 * what each key sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_say.h"

#define SERVER "\"server\": \"192.0.2.1\", \"server_port\": 8388, \"method\": \"aes-256-gcm\", \"password\": \"0123456789012345678901234567890123456789\""

static void expect(const char *text, uint32_t command, const char *want)
{
	struct config c;
	char *got = problems_of(text, command, PROBLEM_ADVICE, &c);

	if (strcmp(got, want) != 0)
		fail_msg("%s\n--- said:\n%s--- wanted:\n%s", text, got, want);
	free(got);
	config_free(&c);
}

/* The config of a text that must be without problems. */
static void good(const char *text, struct config *c)
{
	without_problems(text, FOR_CHECK, PROBLEM_ADVICE, c);
}

static void people_write_comments_and_trailing_commas(void **state)
{
	struct config c;

	(void)state;
	good("\xef\xbb\xbf// first\n{ /* block, with \" and } and // */\n" SERVER ", // end, with \"quotes\"\n"
	     "\"locals\": [ { \"protocol\": \"tun\", \"tun_mtu\": 1400, }, ],\n \"_note\": [1, {}], \"//\": null,\n}\n// last", &c);
	assert_int_equal(c.n_servers, 1);
	assert_int_equal(c.mtu, 1400);
	config_free(&c);
	good("{ " SERVER ", \"remarks\": \"http://x/*y*/ , } // z\" }", &c);
	assert_string_equal(c.servers[0].tag, "http://x/*y*/ , } // z");
	config_free(&c);
}

static void syntax_errors_have_a_place(void **state)
{
	(void)state;
	expect("{\n  \"server\" 1 }", FOR_CHECK, "t:2:12: error: no JSON: ':' expected\n");
	expect("{\n /* ü */ \"server\": oops }", FOR_CHECK, "t:2:20: error: no JSON: invalid token\n");
	expect("{ \"a\": 1,\n  /* never\n", FOR_CHECK, "t:2:3: error: this comment never ends\n");
	expect("{ \"mode\": \"tcp_only\",\n\"mode\": 1 }", FOR_CHECK, "t:2:1: error: no JSON: duplicate object key\n");
	expect("[1]", FOR_CHECK, "t:1:1: error: a config is a JSON object: { \"server\": ... }\n");
	expect("{ , }", FOR_CHECK, "t:1:3: error: no JSON: string or '}' expected\n");
	expect("{ \"a\": [1,,] }", FOR_CHECK, "t:1:11: error: no JSON: unexpected token\n");
}

static void all_errors_are_said_in_the_order_of_the_text(void **state)
{
	(void)state;
	expect("{\n"
	       "  \"server\": \"192.0.2.1\",\n"
	       "  \"server_port\": 70000,\n"
	       "  \"method\": \"aes-256-gmc\",\n"
	       "  \"timeout\": \"ten\",\n"
	       "  \"tun_mtu\": 100,\n"
	       "  \"allow_local\": 1,\n"
	       "  \"mode\": \"tcp\",\n"
	       "  \"nofile\": [],\n"
	       "  \"udp_timeout\": 1.5\n"
	       "}",
	       FOR_CHECK,
	       "t:1:1: error: no password: give \"password\", -k or $GATUN_PASSWORD\n"
	       "t:3:18: error: \"server_port\" wants a number from 1 to 65535, not 70000\n"
	       "t:4:13: error: unknown method \"aes-256-gmc\", did you mean \"aes-256-gcm\"?\n"
	       "t:5:14: error: \"timeout\" wants a number from 1 to 86400, not \"ten\"\n"
	       "t:6:14: error: \"tun_mtu\" wants a number from 1280 to 65520, not 100\n"
	       "t:7:18: error: \"allow_local\" wants true or false, not 1\n"
	       "t:8:11: error: \"mode\" wants one of tcp_only|udp_only|tcp_and_udp, not \"tcp\"\n"
	       "t:9:13: error: \"nofile\" wants a number from 0 to 1048576, not an array\n"
	       "t:10:18: error: \"udp_timeout\" wants a number from 1 to 86400, not a fraction\n");
}

static void unknown_keys_name_the_nearest(void **state)
{
	(void)state;
	expect("{\n " SERVER ",\n \"sever_port\": 1,\n \"passwrod\": \"x\", \"zebra\": 1 }", FOR_CHECK,
	       "t:3:2: warning: unknown key \"sever_port\", did you mean \"server_port\"?\n"
	       "t:4:2: warning: unknown key \"passwrod\", did you mean \"password\"?\n"
	       "t:4:19: warning: unknown key \"zebra\": it has no effect\n");
	expect("{ " SERVER ", \"local_udp_port\": 1 }", FOR_CHECK,
	       "t:1:128: warning: \"local_udp_port\" does not belong here: it has no effect\n");
	expect("{ " SERVER ", \"e\\u001b[31m\": 1 }", FOR_CHECK,
	       "t:1:128: warning: unknown key \"e\\x1b[31m\": it has no effect\n");
}

static void keys_of_later_versions_are_named(void **state)
{
	(void)state;
	expect("{ " SERVER ",\n \"workdir\": \"/x\", \"security\": {}, \"version\": 1, \"no_delay\": true, \"mptcp\": false }", FOR_CHECK,
	       "t:2:13: warning: \"workdir\" is known but not supported yet: it has no effect (Working directory.)\n"
	       "t:2:31: warning: \"security\" is known but not supported yet: it has no effect (Replay policy: gatun always detects replays.)\n");
	expect("{ " SERVER ",\n \"locals\": [{ \"local_port\": 1080 }, { \"protocol\": \"fake-dns\" },\n{ \"protocol\": \"tnu\" }, { \"disabled\": true, \"protocol\": \"x\" }, 7] }",
	       FOR_CHECK,
	       "t:2:37: error: an inbound of protocol \"fake-dns\" wants a \"local_port\"\n"
	       "t:3:15: error: unknown protocol \"tnu\", did you mean \"tun\"?\n"
	       "t:3:63: error: an inbound is an object, not a number\n");
}

static void inbounds_are_what_they_say(void **state)
{
	struct config c;

	(void)state;
	good("{ " SERVER ", \"mode\": \"tcp_only\", \"locals\": [ { \"local_port\": 1080 },"
	     "{ \"protocol\": \"socks\", \"local_address\": \"::1\", \"local_port\": \"1081\", \"mode\": \"udp_only\","
	     "  \"local_udp_address\": \"127.0.0.2\", \"local_udp_port\": 1082 },"
	     "{ \"protocol\": \"tunnel\", \"local_port\": 53, \"forward_address\": \"a.org\", \"forward_port\": 54 } ] }", &c);
	assert_int_equal(c.n_locals, 3);
	assert_int_equal(c.locals[0].protocol, LOCAL_SOCKS);
	assert_int_equal(c.locals[0].mode, MODE_TCP_ONLY);
	assert_int_equal(c.locals[0].listen.port, 1080);
	assert_memory_equal(c.locals[0].listen.ip.bytes, "\177\0\0\1", 4);
	assert_int_equal(c.locals[1].listen.family, AF_INET6);
	assert_int_equal(c.locals[1].mode, MODE_UDP_ONLY);
	assert_int_equal(c.locals[1].listen_udp.port, 1082);
	assert_memory_equal(c.locals[1].listen_udp.ip.bytes, "\177\0\0\2", 4);
	assert_int_equal(c.locals[2].protocol, LOCAL_TUNNEL);
	assert_string_equal(c.locals[2].forward.name, "a.org");
	assert_int_equal(target_port(&c.locals[2].forward), 54);
	config_free(&c);
	good("{ " SERVER ", \"local_port\": 1080, \"tunnel_address\": \"8.8.8.8:53\" }", &c);
	assert_int_equal(c.n_locals, 1);
	assert_int_equal(c.locals[0].protocol, LOCAL_TUNNEL);
	assert_int_equal(target_port(&c.locals[0].forward), 53);
	config_free(&c);
}

static void redir_inbounds_of_both_projects(void **state)
{
	struct config c;

	(void)state;
	good("{ " SERVER ", \"locals\": [ { \"protocol\": \"redir\", \"local_port\": 1 },"
	     "{ \"protocol\": \"redir\", \"local_port\": 2, \"tcp_redir\": \"tproxy\", \"udp_redir\": \"tproxy\", \"mode\": \"udp_only\" },"
	     "{ \"protocol\": \"redir\", \"local_port\": 3, \"tcp_redir\": \"redirect\" } ] }", &c);
	assert_int_equal(c.n_locals, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(c.locals[i].protocol, LOCAL_REDIR);
		assert_int_equal(c.locals[i].mode, i == 1 ? MODE_UDP_ONLY : MODE_TCP_AND_UDP);
		assert_int_equal(c.locals[i].tcp_redir, i == 1 ? REDIR_TPROXY : REDIR_REDIRECT);
	}
	config_free(&c);
	good("{ " SERVER ", \"local_port\": 1080, \"tcp_tproxy\": true }", &c);
	assert_int_equal(c.locals[0].protocol, LOCAL_REDIR);
	assert_int_equal(c.locals[0].tcp_redir, REDIR_TPROXY);
	config_free(&c);
	good("{ " SERVER ", \"local_port\": 1080, \"tcp_tproxy\": false }", &c);
	assert_int_equal(c.locals[0].protocol, LOCAL_SOCKS);
	config_free(&c);
	expect("{ " SERVER ",\n\"locals\": [ { \"protocol\": \"redir\", \"local_port\": 1, \"udp_redir\": \"redirect\" },\n"
	       "{ \"local_port\": 2, \"tcp_redir\": \"tproxy\" }, { \"protocol\": \"redir\", \"local_port\": 3, \"tcp_redir\": \"pf\" } ] }", FOR_CHECK,
	       "t:2:66: error: UDP cannot come by redirect, which does not tell where a datagram was to go: \"udp_redir\" wants \"tproxy\", or "
	       "\"mode\" \"tcp_only\"\n"
	       "t:3:33: warning: \"tcp_redir\" and \"udp_redir\" are for inbounds of protocol redir: no effect\n"
	       "t:3:98: error: \"tcp_redir\" wants one of redirect|tproxy, not \"pf\"\n");
}

static void inbounds_that_cannot_be_are_refused(void **state)
{
	(void)state;
	expect("{ " SERVER ", \"local_address\": \"::1\" }", FOR_CHECK,
	       "t:1:145: warning: without \"local_port\" this has no effect\n");
	expect("{ " SERVER ",\n\"locals\": [ { \"local_address\": \"example.org\", \"local_port\": 1 },\n{ \"protocol\": \"tunnel\", \"local_port\": 2 },\n"
	       "{ \"protocol\": \"socks\" },\n{ \"local_port\": 3, \"socks5_auth_config_path\": \"/nonexistent\" } ] }",
	       FOR_LOCAL,
	       "t:2:32: error: an inbound listens on an IP address of this machine (127.0.0.1, 0.0.0.0, ::), not on \"example.org\"\n"
	       "t:3:1: error: a tunnel wants \"forward_address\" and \"forward_port\"\n"
	       "t:4:1: error: an inbound of protocol \"socks\" wants a \"local_port\"\n"
	       "t:5:47: error: the users' file /nonexistent: cannot be opened\n");
	expect("{ " SERVER ", \"local_port\": 1080 }", FOR_RUN,
	       "t:1:1: advice: a file's inbounds are opened by `gatun local`; `gatun run` opens those of its options\n");
	expect("{ " SERVER ", \"local_port\": 1080 }", FOR_SERVER, "t:1:1: advice: inbounds are opened by `gatun local`, not by this command\n");
	expect("{ " SERVER " }", FOR_LOCAL, "t: error: no inbound is given: --socks, --http or --mixed ADDR:PORT, or \"locals\" in the config\n");
}

static void every_key_sets_its_field(void **state)
{
	struct config c;

	(void)state;
	good("{ " SERVER ", \"mode\": \"udp_only\", \"timeout\": 7, \"tcp_idle\": 8, \"half_close_idle\": 9, \"udp_timeout\": 61,"
	     "\"udp_max_associations\": 512, \"nofile\": 4096, \"outbound_fwmark\": 4294967295, \"allow_local\": true,"
	     "\"hosts\": \"/etc/h\", \"nameserver\": \"9.9.9.9, [::1]:5353\", \"dns_mode\": \"[2001:db8::53]:5353\","
	     "\"tun_mtu\": 9000, \"icmp_reply\": false, \"mtu_probe\": false, \"remarks\": \"de-1\" }", &c);
	assert_int_equal(c.servers[0].mode, MODE_UDP_ONLY);
	assert_string_equal(c.servers[0].method->name, "aes-256-gcm");
	assert_string_equal(c.servers[0].tag, "de-1");
	assert_int_equal(c.timeout, 7);
	assert_int_equal(c.tcp_idle, 8);
	assert_int_equal(c.half_close_idle, 9);
	assert_int_equal(c.udp_timeout, 61);
	assert_int_equal(c.udp_max_associations, 512);
	assert_int_equal(c.nofile, 4096);
	assert_int_equal(c.outbound.fwmark, 4294967295u);
	assert_true(c.allow_local);
	assert_string_equal(c.hosts_file, "/etc/h");
	assert_string_equal(c.nameserver, "9.9.9.9:53,[::1]:5353");
	assert_int_equal(c.dns, DNS_UPSTREAM);
	assert_int_equal(target_port(&c.dns_upstream), 5353);
	assert_int_equal(c.mtu, 9000);
	assert_int_equal(c.icmp_reply, PING_SILENT);
	assert_true(c.no_mtu_probe);
	config_free(&c);
}

static bool is_ip(const struct addr *a, const char *text)
{
	struct addr want;

	return addr_parse_ip(text, 0, &want) == 0 && addr_equal(a, &want);
}

static void sockets_obey_the_server_before_the_config(void **state)
{
	const struct socket_rules *r;
	struct config c;

	(void)state;
	good("{ \"servers\": [ { \"server\": \"192.0.2.1\", \"server_port\": 1, \"outbound_fwmark\": 7, \"outbound_bind_addr\": \"192.0.2.9\","
	     "\"outbound_bind_interface\": \"eth1\", \"outbound_udp_allow_fragmentation\": true },"
	     "{ \"server\": \"192.0.2.2\", \"server_port\": 1 } ],"
	     "\"method\": \"aes-256-gcm\", \"password\": \"0123456789012345678901234567890123456789\","
	     "\"outbound_fwmark\": 8, \"outbound_bind_interface\": \"eth0\", \"local_ipv6_address\": \"2001:db8::9\","
	     "\"outbound_udp_allow_fragmentation\": false, \"keep_alive\": 30, \"mptcp\": true, \"fast_open\": true, \"ipv6_only\": true,"
	     "\"tcp_incoming_sndbuf\": 1, \"tcp_incoming_rcvbuf\": 2, \"tcp_outgoing_sndbuf\": 3, \"tcp_outgoing_rcvbuf\": 4 }", &c);
	r = &c.servers[0].outbound;
	assert_int_equal(r->fwmark, 7);
	assert_string_equal(r->device, "eth1");
	assert_true(is_ip(&r->source4, "192.0.2.9") && is_ip(&r->source6, "2001:db8::9"));
	assert_false(r->no_fragments);
	r = &c.servers[1].outbound;
	assert_int_equal(r->fwmark, 8);
	assert_string_equal(r->device, "eth0");
	assert_true(!r->source4.family && r->no_fragments && r->mptcp && r->keepalive_s == 30);
	assert_true(r->send_buffer == 3 && r->receive_buffer == 4);
	r = &c.inbound;
	assert_true(r->send_buffer == 1 && r->receive_buffer == 2 && r->keepalive_s == 30 && r->mptcp && r->fast_open && r->ipv6_only);
	assert_true(!r->fwmark && !r->device[0]);
	config_free(&c);
	expect("{ " SERVER ",\n\"outbound_bind_addr\": \"eth0\", \"outbound_bind_interface\": \"an interface of no name\" }", FOR_CHECK,
	       "t:2:23: error: \"outbound_bind_addr\" wants an IP address, not \"eth0\"\n"
	       "t:2:58: error: \"outbound_bind_interface\" wants the name of a network interface, not \"an interface of no name\"\n");
}

static void the_shortest_file_is_a_url(void **state)
{
	struct config c;
	char text[TARGET_STRLEN];

	(void)state;
	good("{ \"server\": \"ss://YWVzLTI1Ni1nY206MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OQ@[::1]:8388#home\" }", &c);
	assert_string_equal(c.servers[0].tag, "home");
	assert_string_equal(target_format(&c.servers[0].address, text), "[::1]:8388");
	config_free(&c);
	/* keys beside it win, wherever they stand */
	good("{ \"server_port\": 1, \"server\": \"ss://YWVzLTI1Ni1nY206MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OQ@[::1]:8388\", \"method\": \"aes-128-gcm\" }", &c);
	assert_int_equal(target_port(&c.servers[0].address), 1);
	assert_string_equal(c.servers[0].method->name, "aes-128-gcm");
	config_free(&c);
	expect("{\n\"server\": \"ss://YWVzLTI1Ni1nY206MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OQ@h:0\" }", FOR_CHECK,
	       "t:2:11: error: \"server\": the port is not between 1 and 65535\n");
}

static void several_servers(void **state)
{
	static const char two[] = "{ \"servers\": [ { \"address\": \"192.0.2.1\", \"port\": \"1\", \"name\": \"a\" },\n"
		"{ \"server\": \"192.0.2.2:2\", \"mode\": \"tcp_only\" }, { \"server\": \"x\", \"disabled\": true } ],\n"
		"\"method\": \"aes-256-gcm\", \"password\": \"0123456789012345678901234567890123456789\" }";
	struct config c;
	char *got = problems_of(two, FOR_SERVER, PROBLEM_ADVICE, &c);

	(void)state;
	assert_string_equal(got, "");
	free(got);
	assert_int_equal(c.n_servers, 2);
	assert_string_equal(c.servers[0].tag, "a");
	assert_string_equal(c.servers[1].tag, "192.0.2.2:2");
	assert_int_equal(c.servers[0].mode, MODE_TCP_AND_UDP);
	assert_int_equal(c.servers[1].mode, MODE_TCP_ONLY);
	assert_memory_equal(c.servers[0].key, c.servers[1].key, 32);
	config_free(&c);
	good(two, &c); /* for `run` as well: it chooses among them */
	assert_int_equal(c.n_servers, 2);
	assert_int_equal(c.balancer_policy, BALANCER_FAILCOUNT);
	config_free(&c);
	/* libev's array of hosts */
	good("{ \"server\": [\"0.0.0.0\"], \"server_port\": 1, \"method\": \"aes-256-gcm\", \"password\": \"0123456789012345678901234567890123456789\" }", &c);
	assert_int_equal(c.n_servers, 1);
	config_free(&c);
	expect("{ \"server\": [\"127.0.0.1\", \"::1\"], \"server_port\": 1, \"method\": \"aes-256-gcm\", \"password\": \"abc\" }", FOR_SERVER,
	       "t:1:90: advice: the password has at most 14 bits of entropy, under 128: whoever records the traffic can guess it offline "
	       "(`gatun genkey aes-256-gcm` makes a strong one)\n");
	expect("{ \"servers\": [ 1 ] }", FOR_CHECK, "t:1:16: error: a server is an object, not a number\n");
	expect("{ \"servers\": {} }", FOR_CHECK, "t:1:14: error: \"servers\" wants an array of objects, not an object\n");
	expect("{ \"servers\": [ {\"disabled\": true} ] }", FOR_CHECK, "t: error: every server is disabled\n");
	expect("{}", FOR_CHECK, "t: error: no server is given: an ss:// URL, -c FILE, or -s HOST:PORT -m METHOD -k PASSWORD\n");
}

static void a_listening_address_is_no_name(void **state)
{
	(void)state;
	expect("{ \"server\": \"example.org\", \"server_port\": 1, \"method\": \"aes-256-gcm\",\n\"password\": \"0123456789012345678901234567890123456789\" }",
	       FOR_SERVER, "t:1:13: error: `gatun server` listens on an IP address of this machine (0.0.0.0 or :: for all), not on a name\n");
}

static void missing_and_broken_parts_of_a_server(void **state)
{
	char text[1024], name[300];

	(void)state;
	expect("{\n\"method\": \"aes-256-gcm\" }", FOR_CHECK,
	       "t:1:1: error: no port: \"server_port\" is missing\n"
	       "t:1:1: error: no server: \"server\" is missing\n"
	       "t:1:1: error: no password: give \"password\", -k or $GATUN_PASSWORD\n");
	expect("{ \"server\": \"\", \"server_port\": 0, \"method\": \"rc4-md5\", \"password\": 5 }", FOR_CHECK,
	       "t:1:13: error: the server's host is empty\n"
	       "t:1:32: error: \"server_port\" wants a number from 1 to 65535, not 0\n"
	       "t:1:45: error: method \"rc4-md5\" is a stream cipher without authentication: anyone on the path can change and probe it; "
	       "not supported (`gatun ciphers` lists those that are)\n"
	       "t:1:68: error: \"password\" wants a string, not 5\n");
	expect("{ \"server\": \"h\", \"server_port\": 1, \"method\": \"rc4-md5\", \"password\": \"x\" }", FOR_CHECK,
	       "t:1:46: error: method \"rc4-md5\" is a stream cipher without authentication: anyone on the path can change and probe it; "
	       "not supported (`gatun ciphers` lists those that are)\n");
	memset(name, 'a', 256);
	name[256] = 0;
	snprintf(text, sizeof(text), "{ \"server\": \"%s\", \"server_port\": 1, \"method\": \"2022-blake3-aes-128-gcm\", \"password\": \"AAECAwQFBgcICQoLDA0ODw==\" }", name);
	expect(text, FOR_CHECK, "t:1:13: error: the server's name has 256 bytes, a domain has at most 255\n");
	expect("{ \"server\": \"h\", \"server_port\": 1, \"method\": \"2022-blake3-aes-128-gcm\", \"password\": \"AAECAwQFBgcICQoLDA0ODw==\", \"plugin\": \"v2ray\" }",
	       FOR_CHECK, "");
}

#define PLUGGED(keys) "{ \"server\": \"h\", \"server_port\": 1, \"method\": \"2022-blake3-aes-128-gcm\", \"password\": \"AAECAwQFBgcICQoLDA0ODw==\"," keys " }"

static void plugins_are_checked(void **state)
{
	(void)state;
	expect(PLUGGED("\"plugin\": \"p\", \"plugin_opts\": \"a=b\", \"plugin_args\": [\"x\", \"y\"], \"plugin_mode\": \"tcp_and_udp\""), FOR_CHECK, "");
	expect(PLUGGED("\n\"plugin\": \"p\", \"plugin_args\": [\"x\", 1]"), FOR_CHECK,
	       "t:2:31: error: \"plugin_args\" wants an array of strings, not a number among them\n");
	expect(PLUGGED("\n\"plugin\": \"p\", \"plugin_args\": \"x\""), FOR_CHECK,
	       "t:2:31: error: \"plugin_args\" wants an array of strings, not a string\n");
	expect(PLUGGED("\n\"plugin\": \"p\\u001b\""), FOR_CHECK, "t:2:11: error: the plugin's name holds what is no printable text\n");
	expect(PLUGGED("\n\"plugin\": \"\", \"plugin_opts\": \"hunter2\""), FOR_CHECK,
	       "t:2:30: warning: options of a plugin without \"plugin\": they have no effect\n");
	expect(PLUGGED("\n\"plugin\": \"p\", \"outbound_proxy\": \"socks5://127.0.0.1\""), FOR_CHECK,
	       "t:2:11: error: a plugin connects to the server by itself, past \"outbound_proxy\": leave out one of the two\n");
	expect(PLUGGED("\n\"plugin\": \"p\", \"mode\": \"udp_only\""), FOR_CHECK,
	       "t:2:11: error: the plugin carries TCP and the server does not: nothing would go through it\n");
}

static void a_server_has_its_own_plugin_or_the_tops(void **state)
{
	struct config c;
	char *got = problems_of("{ \"method\": \"2022-blake3-aes-128-gcm\", \"password\": \"AAECAwQFBgcICQoLDA0ODw==\", \"plugin\": \"p\","
				" \"plugin_opts\": \"a=b\", \"plugin_args\": [\"x\", \"y\"], \"server_port\": 1,"
				" \"servers\": [ { \"server\": \"one\" }, { \"server\": \"two\", \"plugin\": \"q\" }, { \"server\": \"three\", \"plugin\": \"\" } ] }",
				FOR_SERVER | FOR_CHECK, PROBLEM_ADVICE, &c);

	(void)state;
	assert_int_equal(c.n_servers, 3);
	assert_string_equal(c.servers[0].plugin.name, "p");
	assert_string_equal(c.servers[0].plugin.options, "a=b");
	assert_string_equal(c.servers[0].plugin.args[0], "x");
	assert_string_equal(c.servers[0].plugin.args[1], "y");
	assert_null(c.servers[0].plugin.args[2]);
	assert_int_equal(c.servers[0].plugin.mode, MODE_TCP_ONLY);
	assert_string_equal(c.servers[1].plugin.name, "q");
	assert_null(c.servers[1].plugin.options);
	assert_null(c.servers[1].plugin.args);
	assert_null(c.servers[2].plugin.name);
	free(got);
	config_free(&c);
}

static void a_wrong_key_size_says_the_size(void **state)
{
	struct config c;
	char *got = problems_of("{ \"server\": \"h\", \"server_port\": 1, \"method\": \"2022-blake3-aes-256-gcm\",\n \"password\": \"AAECAwQFBgcICQoLDA0ODw==\" }",
				FOR_CHECK, PROBLEM_ADVICE, &c);

	(void)state;
	assert_int_equal(strncmp(got, "t:2:14: error: password: ", 25), 0);
	assert_non_null(strstr(got, "32"));
	assert_non_null(strstr(got, "16"));
	assert_null(strstr(got, "AAEC"));
	free(got);
	config_free(&c);
}

static void passwords_never_show(void **state)
{
	static const char *const texts[] = {
		"{ \"server\": \"h\", \"server_port\": 1, \"method\": \"hunter2hunter2\", \"password\": \"hunter2hunter2\" }",
		"{ \"server\": \"ss://aes-256-gcm:hunter2hunter2@h:0\" }",
		"{ \"server\": \"ss://hunter2hunter2:aes-256-gcm@h:1\" }",
		"{ \"password\": \"hunter2hunter2\" \"x\": 1 }",
		"{ \"password\": hunter2hunter2 }",
		"{ \"server\": \"h\", \"server_port\": 1, \"method\": \"2022-blake3-aes-128-gcm\", \"password\": \"hunter2hunter2\" }",
		"{ \"server\": \"h\", \"server_port\": 1, \"method\": \"aes-128-gcm\", \"password\": \"hunter2hunter2\" }",
		"{ \"password\": \"${hunter2hunter2}\" }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct config c;
		char *got = problems_of(texts[i], FOR_CHECK, PROBLEM_ADVICE, &c);

		assert_int_not_equal(strlen(got), 0);
		if (strstr(got, "hunter2"))
			fail_msg("%s\n--- said:\n%s", texts[i], got);
		free(got);
		config_free(&c);
	}
}

static void a_password_comes_from_the_environment(void **state)
{
	struct config c, plain;

	(void)state;
	setenv("CONF_FILE_TEST", "0123456789012345678901234567890123456789", 1);
	good("{ \"server\": \"h\", \"server_port\": 1, \"method\": \"aes-256-gcm\", \"password\": \"${CONF_FILE_TEST}\" }", &c);
	good("{ " SERVER " }", &plain);
	assert_memory_equal(c.servers[0].key, plain.servers[0].key, 32);
	config_free(&c);
	config_free(&plain);
	unsetenv("CONF_FILE_TEST");
	expect("{ \"server\": \"h\", \"server_port\": 1, \"method\": \"aes-256-gcm\", \"password\": \"${CONF_FILE_TEST}\" }", FOR_CHECK,
	       "t:1:73: error: \"password\": the environment has no variable of that name\n");
}

static void weak_passwords_are_noted(void **state)
{
	struct config c;
	char *got = problems_of("{ \"server\": \"h\", \"server_port\": 1, \"method\": \"aes-256-gcm\", \"password\": \"barfoo!\" }", FOR_CHECK, PROBLEM_ADVICE, &c);

	(void)state;
	assert_non_null(strstr(got, "t:1:73: advice: the password has at most 41 bits"));
	free(got);
	config_free(&c);
	assert_int_equal(spec_password_bits(""), 0);
	assert_true(spec_password_bits("q3Zp8Lw0VtYx7Bn2KdJ5Rg") >= 128); /* 22 of 62: 16 random bytes in base64 */
	assert_true(spec_password_bits("q3Zp8Lw0VtYx7Bn2KdJ5R") < 128);
}

static void a_tag_cannot_write_to_the_terminal(void **state)
{
	struct config c;

	(void)state;
	good("{ " SERVER ", \"remarks\": \"\\u001b[31mred\\n\\u202e\\u0085 \xc3\xa9 \\ud83c\\udde9\" }", &c);
	assert_string_equal(c.servers[0].tag, "?[31mred??? \xc3\xa9 \xf0\x9f\x87\xa9");
	config_free(&c);
}

static void nameservers_and_presets(void **state)
{
	struct config c;

	(void)state;
	good("{ " SERVER ", \"dns\": \"system\" }", &c);
	assert_null(c.nameserver);
	config_free(&c);
	good("{ " SERVER ", \"dns\": \"cloudflare\" }", &c);
	assert_string_equal(c.nameserver, "1.1.1.1:53,1.0.0.1:53,[2606:4700:4700::1111]:53,[2606:4700:4700::1001]:53");
	config_free(&c);
	expect("{ " SERVER ",\n\"dns\": \"1.1.1.1,\", \"nameserver\": \"one.one\" }", FOR_CHECK,
	       "t:2:8: error: \"dns\" wants IP addresses with commas between, or system, google, cloudflare or quad9, not \"1.1.1.1,\"\n"
	       "t:2:34: error: \"nameserver\" wants IP addresses with commas between, or system, google, cloudflare or quad9, not \"one.one\"\n");
}

/* What a client's servers are when `text` ends the config. */
static enum udp_over_tcp over_tcp(const char *text, enum config_mode *mode)
{
	char whole[512];
	struct config c;
	enum udp_over_tcp got;

	snprintf(whole, sizeof(whole), "{ " SERVER ", %s }", text);
	char *said = problems_of(whole, FOR_RUN, PROBLEM_ADVICE, &c);

	assert_string_equal(said, "");
	free(said);
	got = c.servers[0].udp_over_tcp;
	*mode = c.servers[0].mode;
	config_free(&c);
	return got;
}

static void udp_over_tcp_in_all_its_forms(void **state)
{
	enum config_mode mode;

	(void)state;
	assert_int_equal(over_tcp("\"udp_over_tcp\": true", &mode), UDP_OVER_TCP_YES);
	assert_int_equal(over_tcp("\"udp_over_tcp\": false", &mode), UDP_OVER_TCP_NO);
	assert_int_equal(over_tcp("\"timeout\": 5", &mode), UDP_OVER_TCP_NO);
	assert_int_equal(over_tcp("\"udp_over_tcp\": \"auto\"", &mode), UDP_OVER_TCP_AUTO);
	assert_int_equal(over_tcp("\"udp_over_tcp\": {\"enabled\": true, \"version\": 2}", &mode), UDP_OVER_TCP_YES);
	assert_int_equal(over_tcp("\"udp_over_tcp\": {\"enabled\": false}", &mode), UDP_OVER_TCP_NO);
	/* where there is no UDP but this one, UDP is carried all the same */
	assert_int_equal(over_tcp("\"udp_over_tcp\": \"auto\", \"mode\": \"tcp_only\"", &mode), UDP_OVER_TCP_YES);
	assert_int_equal(mode, MODE_TCP_AND_UDP);
	assert_int_equal(over_tcp("\"mode\": \"tcp_only\"", &mode), UDP_OVER_TCP_NO);
	assert_int_equal(mode, MODE_TCP_ONLY);
	assert_int_equal(over_tcp("\"udp_over_tcp\": \"auto\", \"mode\": \"udp_only\"", &mode), UDP_OVER_TCP_NO);
	expect("{ " SERVER ",\n\"udp_over_tcp\": true, \"mode\": \"udp_only\" }", FOR_RUN,
	       "t:1:1: error: \"udp_over_tcp\" needs TCP, and \"mode\" is udp_only\n");
	expect("{ " SERVER ",\n\"udp_over_tcp\": true, \"connect\": false }", FOR_SERVER,
	       "t: warning: \"udp_over_tcp\" is the client's choice: a server takes UDP both ways, and it has no effect here\n");
	expect("{ " SERVER ",\n\"udp_over_tcp\": \"yes\" }", FOR_RUN,
	       "t:2:17: error: \"udp_over_tcp\" wants true, false, or auto, not \"yes\"\n");
	expect("{ " SERVER ",\n\"udp_over_tcp\": {\"on\": true} }", FOR_RUN,
	       "t:2:17: error: \"udp_over_tcp\" as an object is {\"enabled\": true or false, \"version\": 2} and nothing else\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_write_comments_and_trailing_commas),
		cmocka_unit_test(syntax_errors_have_a_place),
		cmocka_unit_test(all_errors_are_said_in_the_order_of_the_text),
		cmocka_unit_test(unknown_keys_name_the_nearest),
		cmocka_unit_test(keys_of_later_versions_are_named),
		cmocka_unit_test(inbounds_are_what_they_say),
		cmocka_unit_test(redir_inbounds_of_both_projects),
		cmocka_unit_test(inbounds_that_cannot_be_are_refused),
		cmocka_unit_test(every_key_sets_its_field),
		cmocka_unit_test(sockets_obey_the_server_before_the_config),
		cmocka_unit_test(the_shortest_file_is_a_url),
		cmocka_unit_test(several_servers),
		cmocka_unit_test(a_listening_address_is_no_name),
		cmocka_unit_test(missing_and_broken_parts_of_a_server),
		cmocka_unit_test(plugins_are_checked), cmocka_unit_test(a_server_has_its_own_plugin_or_the_tops),
		cmocka_unit_test(a_wrong_key_size_says_the_size),
		cmocka_unit_test(passwords_never_show),
		cmocka_unit_test(a_password_comes_from_the_environment),
		cmocka_unit_test(weak_passwords_are_noted),
		cmocka_unit_test(a_tag_cannot_write_to_the_terminal),
		cmocka_unit_test(nameservers_and_presets),
		cmocka_unit_test(udp_over_tcp_in_all_its_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
