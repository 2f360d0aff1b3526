/* ipspd/import_fetch.c - see import_fetch.h. */
#include "config.h"

#include "ipspd/import_fetch.h"

#include <curl/curl.h>
#include <string.h>

#define CONNECT_S 10
#define REDIRECTS_MAX 5
#define IDLE_S 30		/* without an octet */

struct fetch {
	struct xml_parse *parse;
	enum mib_err err;	/* of the parser */
	char why[CURL_ERROR_SIZE];
};

void import_fetch_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t arrived(char *octets, size_t size, size_t n, void *arg)
{
	struct fetch *f = (struct fetch *)arg;

	f->err = xml_parse_feed(f->parse, octets, size * n);
	return f->err ? 0 : size * n;
}

static enum mib_err refuse(struct xml_diag *d, enum mib_err err, const char *why)
{
	d->line = 0;
	mib_diag_set(&d->diag, NULL, NULL, 0, "it cannot be fetched: %s", why);
	return err;
}

static bool is_https(const char *url)
{
	return strncasecmp(url, "https:", 6) == 0;
}

static CURLcode set_up(CURL *c, struct fetch *f, const char *url, uint32_t seconds)
{
	const struct {
		CURLoption option;
		long number;
	} numbers[] = {
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_TIMEOUT, (long)seconds },
		{ CURLOPT_CONNECTTIMEOUT, CONNECT_S },
		{ CURLOPT_LOW_SPEED_LIMIT, 1 },
		{ CURLOPT_LOW_SPEED_TIME, IDLE_S },
		{ CURLOPT_FOLLOWLOCATION, 1 },
		{ CURLOPT_MAXREDIRS, REDIRECTS_MAX },
		{ CURLOPT_FAILONERROR, 1 },
		{ CURLOPT_SSL_VERIFYPEER, 1 },
		{ CURLOPT_SSL_VERIFYHOST, 2 },
		{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	};
	const struct {
		CURLoption option;
		const char *text;
	} texts[] = {
		{ CURLOPT_URL, url },
		{ CURLOPT_PROTOCOLS_STR, "http,https" },
		{ CURLOPT_REDIR_PROTOCOLS_STR, is_https(url) ? "https" : "http,https" },
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION },
	};
	CURLcode rc = CURLE_OK;

	for (size_t i = 0; rc == CURLE_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		rc = curl_easy_setopt(c, numbers[i].option, numbers[i].number);
	for (size_t i = 0; rc == CURLE_OK && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = curl_easy_setopt(c, texts[i].option, texts[i].text);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)XML_FILE_MAX);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, arrived);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->why);
	return rc;
}

enum mib_err import_fetch(const char *url, uint32_t seconds, struct xml_parse *parse,
			  struct xml_diag *d)
{
	struct fetch f = { .parse = parse };
	CURL *c = curl_easy_init();
	CURLcode rc;

	if (!c)
		return refuse(d, MIB_RESOURCE_UNAVAILABLE, "out of memory");
	rc = set_up(c, &f, url, seconds);
	if (rc == CURLE_OK)
		rc = curl_easy_perform(c);
	curl_easy_cleanup(c);
	if (f.err)
		return f.err;
	if (rc == CURLE_UNSUPPORTED_PROTOCOL)
		return refuse(d, MIB_WRONG_VALUE, "only http and https are used");
	if (rc != CURLE_OK)
		return refuse(d, rc == CURLE_FILESIZE_EXCEEDED ? MIB_WRONG_LENGTH :
								 MIB_RESOURCE_UNAVAILABLE,
			      f.why[0] ? f.why : curl_easy_strerror(rc));
	return xml_parse_end(parse);
}
