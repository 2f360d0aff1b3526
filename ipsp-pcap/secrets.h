/*
 * ipsp-pcap/secrets.h - SAs from secrets files: the format of tcpdump's option -E, and more.
 *
 * Grammar, one SA a line; what tcpdump knows means here what it means there:
 *
 *	line    = comment / empty / "file" SP NAME / "ikev2" SP ... / sa
 *	comment = "#" ...
 *	sa      = [SPI "@" ADDRESS SP] cipher ["-hmac96"] ":" secret
 *		/ SPI "@" ADDRESS SP "ah-" integrity ":" ahkey
 *	secret  = TEXT / "0x" HEX ["+" integrity ":0x" HEX] *(SP option)
 *	ahkey   = TEXT / "0x" HEX *(SP option)
 *
 * A secret given as text takes the rest of its line, blanks included, so only a secret in hex may
 * be followed by our own words; tcpdump refuses such a line instead of reading it differently. A
 * line without SPI and address is the SA of every ESP packet that no other line names. Lines of IKE
 * SAs are counted and passed over.
 *
 * Everything read stays in locked memory, is wiped when freed and printed nowhere, error messages
 * included.
 */
#ifndef IPSP_PCAP_SECRETS_H
#define IPSP_PCAP_SECRETS_H

#include "ipsp/config.h"

#define PC_SAS_MAX 1024u
#define PC_FILES_MAX 16u
#define PC_FILE_MAX (1u << 18)	/* octets */

/** What could not be done, for a person. */
struct pc_diag {
	char text[320];
};

/** printf into it. Never given a secret. */
void pc_diag_set(struct pc_diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** One SA as its line says. In locked memory. */
struct pc_secret {
	uint32_t file, line;		/* where it stands: index of the file's name, 1.. */
	bool any;			/* no SPI, no address */
	bool weak;			/* algorithms that RFC 8221 advises against */
	bool checked;			/* its ICV is known and looked at */
	bool udp;			/* encap: ESP in UDP, with these ports */
	uint16_t udp_sport, udp_dport;
	uint16_t cpi;			/* IPComp inside, DEFLATE; 0: none */
	struct ipsp_addr from;		/* encap: outer source; family 0: transport mode */
	/*
	 * Algorithms, keys, SPI, mode, numbers. local is ADDRESS; dir, ids and remote are the
	 * caller's to fill. integ is one of enum analysis_integ if not checked.
	 */
	struct ipsp_sa_config sa;
	uint32_t n_selectors;		/* encap: what it protects; 0: nothing was said */
	struct ipsp_selector selectors[2];
};

struct pc_secrets {
	uint32_t n;
	struct pc_secret *sas[PC_SAS_MAX];
	struct pc_secret *any;		/* among them; NULL: none */
	uint32_t n_files;
	char *files[PC_FILES_MAX];	/* names; the first is the one that was asked for */
	uint32_t n_ikev2;		/* lines of IKE SAs */
	uint32_t n_replaced;		/* lines whose SA a later line gave again */
	uint32_t n_readable;		/* files that everyone may read */
};

/**
 * Reads a file, and those that it names. ipsp_crypto_gcrypt_init must have been called.
 * @param allow_weak  take weak algorithms; else they are errors
 * @return false: *d says which line, and why; *out owns nothing then
 */
IPSP_MUST_CHECK bool pc_secrets_load(const char *name, bool allow_weak, struct pc_secrets *out,
				     struct pc_diag *d);

/**
 * Reads lines from memory; names of further files are added to files and not opened.
 * @param text  len octets and a NUL, changed
 * @param file  index of their file in out->files
 * @return false: *d; what was read before stays in *out
 */
IPSP_MUST_CHECK bool pc_secrets_parse(char *text, size_t len, uint32_t file, bool allow_weak,
				      struct pc_secrets *out, struct pc_diag *d);

/**
 * Reads a whole file.
 * @param buf  PC_FILE_MAX + 2 octets of locked memory; a NUL stands behind what was read
 * @param n_readable  counted up if everyone may read the file
 * @return false: *d
 */
IPSP_MUST_CHECK bool pc_secrets_read(const char *name, char *buf, uint32_t *n_readable, size_t *len,
				     struct pc_diag *d);

/** Wipes and frees what it holds. */
void pc_secrets_fini(struct pc_secrets *s);

#endif
