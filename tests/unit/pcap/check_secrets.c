/*
 * tests/unit/pcap/check_secrets.c - secrets files: what tcpdump's lines mean, what ours add, which
 * lines are refused, and that no message quotes a secret.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/crypto/analysis.h"
#include "ipsp-pcap/secrets.h"

#define K8 "0001020304050607"
#define K16 K8 "08090a0b0c0d0e0f"
#define K20 K16 "10111213"
#define K24 K16 "1011121314151617"
#define K32 K16 "101112131415161718191a1b1c1d1e1f"
#define SA "0x1001@192.0.2.1 "

static struct pc_secrets secrets;
static struct pc_diag diag;

static bool parse(const char *lines, bool allow_weak)
{
	static char text[4096];

	memset(&secrets, 0, sizeof(secrets));
	memset(&diag, 0, sizeof(diag));
	secrets.files[0] = strdup("name");
	secrets.n_files = 1;
	snprintf(text, sizeof(text), "%s", lines);
	return pc_secrets_parse(text, strlen(text), 0, allow_weak, &secrets, &diag);
}

static const struct {
	const char *line;
	uint16_t encr, bits, integ;
	const char *octets;	/* how the key begins */
	size_t key_len, integ_len;
	bool checked;
} taken[] = {
	/* as tcpdump has it */
	{ SA "des-cbc:8 octets", 2, 64, 61440, "8 octets", 8, 0, false },
	{ SA "DES:0x" K8, 2, 64, 61440, "\0\1\2", 8, 0, false },
	{ SA "3des-cbc-hmac96:0x" K24, 3, 192, 61452, "\0\1\2", 24, 0, false },
	{ SA "3des:0x" K24, 3, 192, 61440, "\0\1\2", 24, 0, false },
	{ SA "blowfish-cbc:0x" K16, 7, 128, 61440, "\0\1\2", 16, 0, false },
	{ SA "cast128-cbc:0x" K16, 6, 128, 61440, "\0\1\2", 16, 0, false },
	{ SA "\t aes128-cbc-hmac96:with a blank, +:", 12, 128, 61452, "with a blank, +:", 16, 0, false },
	{ SA "aes256-hmac96:0x" K32, 12, 256, 61452, "\0\1\2", 32, 0, false },
	{ SA "none:", 11, 0, 61440, "", 0, 0, false },
	{ SA "none-hmac96:0x", 11, 0, 61452, "", 0, 0, false },
	{ SA "aes128-cbc:0x" K16 "\r", 12, 128, 61440, "\0\1\2", 16, 0, false },
	/* ours */
	{ SA "aes128-cbc:0x" K16 "+hmac-sha1-96:0x" K20, 12, 128, 2, "\0\1\2", 16, 20, true },
	{ SA "aes128-cbc-hmac96:0x" K16 "+hmac-sha1-96:0x" K20, 12, 128, 2, "\0", 16, 20, true },
	{ SA "aes128-cbc:0x" K16 "+HMAC-SHA2-256-128:0x" K32, 12, 128, 5, "\0", 16, 32, true },
	{ SA "aes192-cbc:0x" K24 "+hmac-sha2-384-192:0x" K24 K24, 12, 192, 6, "\0", 24, 48, true },
	{ SA "none:0x+hmac-sha2-512-256:0x" K32 K32, 11, 0, 7, "", 0, 64, true },
	{ SA "null:0x+hmac-md5-96:0x" K16, 11, 0, 1, "", 0, 16, true },
	{ SA "aes128-ctr:0x" K20 "+hmac-sha1-96:0x" K20, 13, 128, 2, "\0", 20, 20, true },
	{ SA "aes128-gcm-16:0x" K20, 20, 128, 0, "\0\1\2", 20, 0, true },
	{ SA "aes128-gcm-8:0x" K20, 18, 128, 0, "\0\1\2", 20, 0, true },
	{ SA "aes256-ccm-12:0x" K32 "a1a2a3", 15, 256, 0, "\0\1\2", 35, 0, true },
	{ SA "aes128-cbc:0x" K16 " icv=16", 12, 128, 61456, "\0\1\2", 16, 0, false },
	{ SA "aes128-cbc-hmac96:0x" K16 "  esn\treplay=32 ", 12, 128, 61452, "\0", 16, 0, false },
};
#define N_TAKEN ((int)(sizeof(taken) / sizeof(taken[0])))

START_TEST(test_a_line_means_what_it_says)
{
	const struct ipsp_sa_config *sa;

	ck_assert_msg(parse(taken[_i].line, true), "%s: %s", taken[_i].line, diag.text);
	ck_assert_uint_eq(secrets.n, 1);
	sa = &secrets.sas[0]->sa;
	ck_assert_uint_eq(sa->spi, 0x1001);
	ck_assert_uint_eq(sa->local.family, 4);
	ck_assert_mem_eq(sa->local.octets, "\xc0\0\2\1", 4);
	ck_assert_uint_eq(sa->encr, taken[_i].encr);
	ck_assert_uint_eq(sa->encr_key_bits, taken[_i].bits);
	ck_assert_uint_eq(sa->integ, taken[_i].integ);
	ck_assert_uint_eq(sa->encr_key.len, taken[_i].key_len);
	ck_assert_uint_eq(sa->integ_key.len, taken[_i].integ_len);
	ck_assert_mem_eq(sa->encr_key.octets, taken[_i].octets, strlen(taken[_i].octets));
	ck_assert(secrets.sas[0]->checked == taken[_i].checked);
	ck_assert_int_eq(sa->mode, IPSP_MODE_ANY);
	pc_secrets_fini(&secrets);
}
END_TEST

static const struct {
	const char *line, *why;
} refused[] = {
	{ "nonsense", "form" },
	{ "0x1001 aes128-cbc:0x" K16, "form" },
	{ "x@192.0.2.1 aes128-cbc:0x" K16, "form" },
	{ "0x100000000@192.0.2.1 aes128-cbc:0x" K16, "form" },
	{ "255@192.0.2.1 aes128-cbc:0x" K16, "256" },
	{ "0x1001@192.0.2 aes128-cbc:0x" K16, "address" },
	{ SA "rc3-cbc:0x" K16, "cipher is not known" },
	{ SA "aes:0x" K16, "cipher is not known" },
	{ SA "-hmac96:0x" K16, "cipher is not known" },
	{ SA "aes128-cbc", "form" },
	{ SA "aes128-cbc:0x" K8, "length" },
	{ SA "aes128-cbc:0x" K24, "length" },
	{ SA "aes128-cbc:too short", "length" },
	{ SA "aes128-gcm-16:0x" K16, "salt" },
	{ SA "aes128-cbc:0x" K16 "0", "odd" },
	{ SA "aes128-cbc:0x" K16 "zz", "no hex digit" },
	{ SA "aes128-cbc:0x" K32 K32 "00", "longer" },
	{ SA "aes128-cbc:0x" K16 "+hmac-sha3:0x" K20, "integrity" },
	{ SA "aes128-cbc:0x" K16 "+hmac-sha1-96", "no key" },
	{ SA "aes128-cbc:0x" K16 "+hmac-sha1-96:" K20, "0x" },
	{ SA "aes128-cbc:0x" K16 "+hmac-sha1-96:0x" K16, "integrity key" },
	{ SA "aes128-cbc-hmac96:0x" K16 "+hmac-sha2-256-128:0x" K32, "another length" },
	{ SA "aes128-cbc-hmac96:0x" K16 " icv=16", "contradict" },
	{ SA "aes128-gcm-16-hmac96:0x" K20, "brings its own" },
	{ SA "aes128-gcm-16:0x" K20 "+hmac-sha1-96:0x" K20, "brings its own" },
	{ SA "aes128-cbc:0x" K16 " icv=33", "icv" },
	{ SA "aes128-cbc:0x" K16 " replay=48", "replay" },
	{ SA "aes128-cbc:0x" K16 " replay", "value" },
	{ SA "aes128-cbc:0x" K16 " esn=1", "no value" },
	{ SA "aes128-cbc:0x" K16 " tunnel", "not known" },
	{ SA "aes128-cbc:0x" K16 " mode=both", "mode" },
	{ SA "aes128-cbc:0x" K16 " src=10.0.0.0/33", "prefix" },
	{ SA "aes128-cbc:0x" K16 " src=10.0.0.0/8 dst=fd00::/8", "families" },
	{ SA "aes128-cbc:0x" K16 " dport=9-8", "dport" },
	{ SA "aes128-cbc:0x" K16 " type=256", "type" },
	{ SA "aes128-cbc:0x" K16 " type=8/256", "type" },
	{ SA "aes128-cbc:0x" K16 " type=8-7", "type" },
	{ SA "aes128-cbc:0x" K16 " type=", "type" },
	{ SA "aes128-cbc:0x" K16 " udp=4500", "udp" },
	{ SA "aes128-cbc:0x" K16 " from=2001:db8::1", "family" },
	{ SA "aes128-cbc:0x" K16 " mode=transport from=192.0.2.2", "tunnel" },
	{ SA "3des-cbc:0x" K24, "--allow-weak" },
	{ SA "aes128-cbc:0x" K16 "+hmac-md5-96:0x" K16, "--allow-weak" },
	{ SA "aes128-cbc:0x" K16 "+aes128-gmac:0x" K20, "integrity" },
	{ SA "aes128-cbc:0x" K16 " ipcomp=3", "ipcomp" },
	{ SA "aes128-cbc:0x" K16 " ipcomp=65536", "ipcomp" },
	{ "none:0x ipcomp", "ipcomp" },
	{ SA "ah-aes128-cbc:0x" K16, "integrity algorithm of AH" },
	{ SA "ah-:0x" K16, "integrity algorithm of AH" },
	{ SA "ah-hmac-sha1-96:0x" K16, "length" },
	{ SA "ah-hmac-sha1-96:too short", "length" },
	{ SA "ah-hmac-sha1-96:0x" K20 "+hmac-sha1-96:0x" K20, "one algorithm" },
	{ SA "ah-hmac-sha1-96:0x" K20 " udp", "for ESP" },
	{ SA "ah-hmac-sha1-96:0x" K20 " icv=12", "for ESP" },
	{ SA "ah-hmac-md5-96:0x" K16, "--allow-weak" },
	{ "ah-hmac-sha1-96:0x" K20, "SPI" },
};
#define N_REFUSED ((int)(sizeof(refused) / sizeof(refused[0])))

START_TEST(test_a_mistake_names_its_line_and_no_secret)
{
	char text[1024];

	snprintf(text, sizeof(text), "# first\n" SA "none:\n%s\n", refused[_i].line);
	ck_assert_msg(!parse(text, false), "%s", refused[_i].line);
	ck_assert_msg(!strncmp(diag.text, "name:3: ", 8), "%s", diag.text);
	ck_assert_msg(strstr(diag.text, refused[_i].why) != NULL, "%s: %s", refused[_i].line,
		      diag.text);
	ck_assert_msg(!strstr(diag.text, "0001") && !strstr(diag.text, "short"), "%s", diag.text);
	ck_assert_uint_eq(secrets.n, 1);
	pc_secrets_fini(&secrets);
}
END_TEST

START_TEST(test_lines_of_other_kinds)
{
	ck_assert(parse("# comment\n\n  \t\n  # too\r\n"
			"0x1001@2001:db8::1 aes128-cbc:0x" K16 "\n"
			"aes128-cbc-hmac96:0x" K16 " replay=64\n"
			"ikev2 I 0x0011223344556677 0x8899aabbccddeeff sha1:0x00 aes256:0x00\n"
			"FILE  another one\n"
			"0x1001@2001:db8::1 aes256-cbc:0x" K32, false));
	ck_assert_uint_eq(secrets.n, 2);
	ck_assert_uint_eq(secrets.n_ikev2, 1);
	ck_assert_uint_eq(secrets.n_replaced, 1);
	ck_assert_uint_eq(secrets.sas[0]->sa.encr_key_bits, 256);
	ck_assert_uint_eq(secrets.sas[0]->line, 9);
	ck_assert_uint_eq(secrets.sas[0]->sa.local.family, 6);
	ck_assert_ptr_eq(secrets.any, secrets.sas[1]);
	ck_assert(secrets.any->any && secrets.any->sa.replay);
	ck_assert_uint_eq(secrets.n_files, 2);
	ck_assert_str_eq(secrets.files[1], "another one");
	pc_secrets_fini(&secrets);
}
END_TEST

START_TEST(test_ah_is_another_sa_than_esp_of_the_same_number)
{
	ck_assert(parse(SA "none:\n" SA "ah-hmac-sha1-96:0x" K20 " ipcomp\n"
			SA "AH-aes128-gmac:0x" K20 " ipcomp=300", false));
	ck_assert_uint_eq(secrets.n, 2);
	ck_assert_uint_eq(secrets.n_replaced, 1);
	ck_assert_uint_eq(secrets.sas[0]->sa.proto, IPSP_PROTO_ESP);
	ck_assert_uint_eq(secrets.sas[1]->sa.proto, IPSP_PROTO_AH);
	ck_assert_uint_eq(secrets.sas[1]->sa.integ, IPSP_INTEG_AES_128_GMAC);
	ck_assert_uint_eq(secrets.sas[1]->sa.integ_key.len, 20);
	ck_assert_uint_eq(secrets.sas[1]->sa.encr_key.len, 0);
	ck_assert_uint_eq(secrets.sas[1]->cpi, 300);
	ck_assert(secrets.sas[1]->checked);
	pc_secrets_fini(&secrets);
}
END_TEST

START_TEST(test_the_line_for_any_sa_may_be_given_again)
{
	ck_assert(parse("none:\naes128-cbc:0x" K16 "\n", false));
	ck_assert_uint_eq(secrets.n, 1);
	ck_assert_uint_eq(secrets.any->sa.encr, IPSP_ENCR_AES_CBC);
	pc_secrets_fini(&secrets);
}
END_TEST

START_TEST(test_words_of_sealing)
{
	const struct pc_secret *s;

	ck_assert(parse(SA "none:0x from=192.0.2.2 df=set udp=1:65535 seq=0x100000000 mode=tunnel "
			"proto=tcp sport=1-9 dport=80 src=10.1.2.3/8 dst=10.2.0.0\n"
			"0x1002@192.0.2.1 none:0x udp dport=53\n"
			"0x1003@192.0.2.1 none:0x proto=1 type=8/0-11\n"
			"0x1004@192.0.2.1 none:0x proto=58 type=3\n", false));
	s = secrets.sas[0];
	ck_assert_int_eq(s->sa.mode, IPSP_MODE_TUNNEL);
	ck_assert_int_eq(s->sa.df, IPSP_DF_SET);
	ck_assert_uint_eq(s->sa.seq_floor, 0x100000000u);
	ck_assert(s->udp && s->udp_sport == 1 && s->udp_dport == 65535);
	ck_assert_mem_eq(s->from.octets, "\xc0\0\2\2", 4);
	ck_assert_uint_eq(s->n_selectors, 1);
	ck_assert_mem_eq(s->selectors[0].src_lo.octets, "\x0a\0\0\0", 4);
	ck_assert_mem_eq(s->selectors[0].src_hi.octets, "\x0a\xff\xff\xff", 4);
	ck_assert_mem_eq(s->selectors[0].dst_hi.octets, "\x0a\2\0\0", 4);
	ck_assert(s->selectors[0].proto_lo == 6 && s->selectors[0].proto_hi == 6);
	ck_assert(s->selectors[0].sport_lo == 1 && s->selectors[0].sport_hi == 9);
	ck_assert(s->selectors[0].dport_lo == 80 && s->selectors[0].dport_hi == 80);
	s = secrets.sas[1];
	ck_assert(s->udp && s->udp_sport == 4500 && s->udp_dport == 4500);
	ck_assert_uint_eq(s->n_selectors, 2);
	ck_assert(s->selectors[0].dport_lo == 53 && s->selectors[1].dport_hi == 53);
	s = secrets.sas[2];
	ck_assert_uint_eq(s->selectors[0].sport_lo, IPSP_PORT_MESSAGE + 8 * 256);
	ck_assert_uint_eq(s->selectors[0].sport_hi, IPSP_PORT_MESSAGE + 11 * 256 + 255);
	s = secrets.sas[3];
	ck_assert_uint_eq(s->selectors[0].sport_lo, IPSP_PORT_MESSAGE + 3 * 256);
	ck_assert_uint_eq(s->selectors[0].sport_hi, IPSP_PORT_MESSAGE + 3 * 256 + 255);
	pc_secrets_fini(&secrets);
}
END_TEST

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(test_files_name_files_and_never_for_ever)
{
	char dir[] = "/tmp/check-secrets-XXXXXX", first[64], second[64], text[256];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(first, sizeof(first), "%s/first", dir);
	snprintf(second, sizeof(second), "%s/second", dir);
	snprintf(text, sizeof(text), "file %s\n" SA "none:\n", second);
	write_file(first, text, 0600);
	write_file(second, "0x1002@192.0.2.1 none:\n", 0644);
	ck_assert_msg(pc_secrets_load(first, false, &secrets, &diag), "%s", diag.text);
	ck_assert_uint_eq(secrets.n, 2);
	ck_assert_uint_eq(secrets.n_readable, 1);
	pc_secrets_fini(&secrets);

	write_file(second, "0x1002@192.0.2.1 none:\nrubbish\n", 0600);
	ck_assert(!pc_secrets_load(first, false, &secrets, &diag));
	ck_assert_ptr_nonnull(strstr(diag.text, "/second:2: "));

	snprintf(text, sizeof(text), "file %s\n", first);
	write_file(first, text, 0600);
	ck_assert(!pc_secrets_load(first, false, &secrets, &diag));
	ck_assert_ptr_nonnull(strstr(diag.text, "too many files"));
	ck_assert(!pc_secrets_load(dir, false, &secrets, &diag));
	unlink(first);
	ck_assert(!pc_secrets_load(first, false, &secrets, &diag));
	ck_assert_ptr_nonnull(strstr(diag.text, first));
	unlink(second);
	rmdir(dir);
}
END_TEST

START_TEST(test_a_nul_octet_and_too_many_lines_are_refused)
{
	static char text[PC_SAS_MAX * 32 + 64];
	size_t len = 0;

	memset(&secrets, 0, sizeof(secrets));
	secrets.files[0] = strdup("name");
	secrets.n_files = 1;
	memcpy(text, "none:\0\n", 7);
	ck_assert(!pc_secrets_parse(text, 7, 0, false, &secrets, &diag));
	for (unsigned i = 0; i <= PC_SAS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u@192.0.2.1 none:\n",
					i + 256);
	ck_assert(!pc_secrets_parse(text, len, 0, false, &secrets, &diag));
	ck_assert_ptr_nonnull(strstr(diag.text, "name:1025: there are too many"));
	pc_secrets_fini(&secrets);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(1 << 20), IPSP_OK);
}

int main(void)
{
	Suite *suite = suite_create("secrets");
	TCase *tc = tcase_create("secrets");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_loop_test(tc, test_a_line_means_what_it_says, 0, N_TAKEN);
	tcase_add_loop_test(tc, test_a_mistake_names_its_line_and_no_secret, 0, N_REFUSED);
	tcase_add_test(tc, test_lines_of_other_kinds);
	tcase_add_test(tc, test_the_line_for_any_sa_may_be_given_again);
	tcase_add_test(tc, test_ah_is_another_sa_than_esp_of_the_same_number);
	tcase_add_test(tc, test_words_of_sealing);
	tcase_add_test(tc, test_files_name_files_and_never_for_ever);
	tcase_add_test(tc, test_a_nul_octet_and_too_many_lines_are_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
