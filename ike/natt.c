/* ike/natt.c - is there a NAT? RFC 7296 2.23. */
#include <gcrypt.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/internal.h"

/* SHA-1 of both SPIs, the address and the port; nothing secret hangs on it. */
void ike_nat_hash(const uint8_t *spi_i, const uint8_t *spi_r, const struct ipsp_addr *addr,
		  uint16_t port, uint8_t out[IKE_NAT_HASH_LEN])
{
	uint8_t octets[2 * IKE_SPI_LEN + 16 + 2];
	const size_t size = ipsp_addr_size(addr->family);

	memcpy(octets, spi_i, IKE_SPI_LEN);
	memcpy(octets + IKE_SPI_LEN, spi_r, IKE_SPI_LEN);
	memcpy(octets + 2 * IKE_SPI_LEN, addr->octets, size);
	be16enc(octets + 2 * IKE_SPI_LEN + size, port);
	gcry_md_hash_buffer(GCRY_MD_SHA1, out, octets, 2 * IKE_SPI_LEN + size + 2);
}
