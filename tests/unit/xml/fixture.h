/* tests/unit/xml/fixture.h - stores to export from and import into, and rows by their text. */
#ifndef TESTS_XML_FIXTURE_H
#define TESTS_XML_FIXTURE_H

#include "xml/import.h"
#include "xml/xml.h"

/** Beginning and end of a document, around module containers. */
#define DOC(x)                                                                                     \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                             \
	"<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n" x "</data>\n"
#define SPD(x)                                                                                     \
	"<IPSEC-SPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">\n" x            \
	"</IPSEC-SPD-MIB>\n"
#define RULES(x) SPD("<spdRuleDefinitionTable>\n" x "</spdRuleDefinitionTable>\n")

/* A rule entry on lines of its own; the first line is line 5 of DOC(RULES(..)). */
#define RULE(name, rest)                                                                           \
	"<spdRuleDefinitionEntry>\n<spdRuleDefName>" name "</spdRuleDefName>\n" rest               \
	"</spdRuleDefinitionEntry>\n"
#define FILTER "<spdRuleDefFilter>1.3.6.1.2.1.153.1.7.1.0</spdRuleDefFilter>\n"
#define ACTION "<spdRuleDefAction>1.3.6.1.2.1.153.1.13.1.0</spdRuleDefAction>\n"
#define ACTIVE "<spdRuleDefRowStatus>active</spdRuleDefRowStatus>\n"
#define NOT_IN_SERVICE "<spdRuleDefRowStatus>notInService</spdRuleDefRowStatus>\n"
#define GOOD(name) RULE(name, FILTER ACTION ACTIVE)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/** A journal that can be told to fail. */
struct disk {
	bool broken;
	unsigned writes;
};

/** An empty store; disk may be NULL. Aborts the test when it cannot be had. */
struct mib_store *store_on(struct disk *disk);

struct assignment {
	const char *column, *index, *value;	/* as at the command line */
};

/** Commits them in one transaction; must succeed. Ends with a NULL column. */
void store_set(struct mib_store *s, const struct assignment *a);

/** The same where it may be refused. */
enum mib_err store_try(struct mib_store *s, const struct assignment *a);

/** A manual ESP tunnel up to its endpoint; secrets apart, so that they can come first. */
extern const struct assignment secrets[];
extern const struct assignment tunnel[];
/** An active rule "old" that drops, disabled and described. */
extern const struct assignment old_rule[];

/** A file with that content, at its beginning; the caller closes it. */
int file_of(const char *text, size_t len);

/** The export as text; the caller frees it. */
char *export_of(struct mib_store *s);

/** A key for secrets in files: another one for each first octet. mib_file_seal_free. */
struct mib_file_seal *seal_of(uint8_t first);

struct outcome {
	enum mib_err err;
	struct xml_summary sum;
	struct xml_diag d;
	char lines[2048];	/* the difference */
	char not_ready[2048];
};

#define REPLACE 1u
#define DRY_RUN 2u
/** Parser and importer with nothing between them; without an assertion, for tests without memory. */
struct outcome import_text(struct mib_store *s, const char *text, unsigned flags);
struct outcome import_octets(struct mib_store *s, const char *text, size_t len, unsigned flags);

/** The same with sealed secrets: which are opened; NULL: passed over. */
struct outcome import_sealed(struct mib_store *s, const char *text, struct mib_file_seal *seal,
			     unsigned flags);
/** The export with its secrets sealed; the caller frees it. */
char *export_sealed(struct mib_store *s, struct mib_file_seal *seal);

/** The same text? Else the test fails and shows where they part. */
void must_equal(const char *a, const char *b);

/** Must have succeeded; else the test fails with the reason. */
void must_import(const struct outcome *o);

#endif
