/* Tests of policy/band.c: where a key manager's entries stand, and what generations share. */
#include "config.h"

#include <check.h>

#include "policy/band.h"
#include "policy/items.h"

static struct pol_band *band;

static void setup(void)
{
	band = pol_band_new();
	ck_assert_ptr_nonnull(band);
}

static void teardown(void)
{
	pol_band_free(band);
}

static struct ipsp_spd_entry entry(uint64_t id, struct ipsp_selector *any)
{
	ipsp_selector_any(4, any);
	return (struct ipsp_spd_entry){ .id = id, .action = IPSP_DISCARD, .n_selectors = 1,
					.selectors = any };
}

static void put(enum ipsp_dir dir, uint64_t place, uint64_t id)
{
	struct ipsp_selector any;
	const struct ipsp_spd_entry e = entry(id, &any);

	ck_assert(pol_band_put(band, dir, place, &e));
}

/* A generation with one list of interface 3, outbound, of one row's entry with the lowest priority. */
static struct pol_generation *generation(const struct pol_map *rows)
{
	const uint16_t path[2] = { UINT16_MAX, UINT16_MAX };
	struct pol_generation *g = pol_generation_new(1, 1);
	struct ipsp_selector any;
	const struct ipsp_spd_entry e = entry(77, &any);

	g->lists[g->n_lists++] = (struct pol_list){ .ifindex = 3, .dir = IPSP_OUTBOUND };
	if (rows) {
		g->lists[0].entries = pol_map_share(rows);
		return g;
	}
	g->lists[0].entries = pol_map_empty(&pol_entries_type);
	struct pol_entry *row = pol_entry_new(&e, path, 2, 0);

	ck_assert(pol_map_put(&g->lists[0].entries, row));
	pol_entry_unref(row);
	return g;
}

static void has_ids(const struct pol_list *l, const uint64_t *ids, size_t n)
{
	ck_assert_uint_eq(pol_map_count(&l->entries), n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq((uint32_t)pol_list_entry(l, i)->spd.id, ids[i]);
}

START_TEST(test_entries_stand_behind_all_rows_in_their_own_order)
{
	struct pol_generation *g = generation(NULL);

	put(IPSP_OUTBOUND, 9, 109);
	put(IPSP_OUTBOUND, UINT64_C(1) << 40, 199);
	put(IPSP_OUTBOUND, 1, 101);
	put(IPSP_OUTBOUND, 9, 110);	/* in the place of 109 */
	ck_assert(pol_band_apply(band, g));
	has_ids(pol_generation_list(g, 3, IPSP_OUTBOUND), (uint64_t[]){ 77, 101, 110, 199 }, 4);
	ck_assert_uint_eq(pol_list_entry(&g->lists[1], 0)->band, POL_BAND_ROWS);
	ck_assert_uint_eq(pol_list_entry(&g->lists[1], 1)->band, POL_BAND_KEY_MANAGER);
	pol_generation_free(g);
}
END_TEST

START_TEST(test_interfaces_without_rows_stay_open_behind_the_band)
{
	struct pol_generation *g = generation(NULL);

	put(IPSP_OUTBOUND, 1, 101);
	ck_assert(pol_band_apply(band, g));
	ck_assert_uint_eq(g->n_lists, 2);
	const struct pol_list *l = pol_generation_list(g, 0, IPSP_OUTBOUND);

	ck_assert_ptr_nonnull(l);
	has_ids(l, (uint64_t[]){ 101, 1, 2 }, 3);
	ck_assert_uint_eq(pol_list_entry(l, 1)->spd.action, IPSP_BYPASS);
	ck_assert_uint_eq(pol_list_entry(l, 2)->band, POL_BAND_OPEN);
	ck_assert_ptr_null(pol_generation_list(g, 0, IPSP_INBOUND));
	pol_generation_free(g);
}
END_TEST

START_TEST(test_without_entries_nothing_changes)
{
	struct pol_generation *g = generation(NULL);

	put(IPSP_INBOUND, 1, 101);
	ck_assert(pol_band_remove(band, IPSP_INBOUND, 1));
	ck_assert(pol_band_apply(band, g));
	ck_assert_uint_eq(g->n_lists, 1);
	has_ids(&g->lists[0], (uint64_t[]){ 77 }, 1);
	pol_generation_free(g);
}
END_TEST

START_TEST(test_lists_that_did_not_change_are_the_same_again)
{
	struct pol_generation *g = generation(NULL), *next, *third;
	struct pol_map rows = pol_map_share(&g->lists[0].entries);

	put(IPSP_OUTBOUND, 1, 101);
	ck_assert(pol_band_apply(band, g));
	next = generation(&rows);
	ck_assert(pol_band_apply(band, next));
	ck_assert(pol_map_same(&g->lists[0].entries, &next->lists[0].entries));
	ck_assert(pol_map_same(&g->lists[1].entries, &next->lists[1].entries));
	put(IPSP_OUTBOUND, 2, 102);
	third = generation(&rows);
	ck_assert(pol_band_apply(band, third));
	has_ids(&third->lists[1], (uint64_t[]){ 77, 101, 102 }, 3);
	has_ids(&next->lists[1], (uint64_t[]){ 77, 101 }, 2);
	pol_map_fini(&rows);
	pol_generation_free(g);
	pol_generation_free(next);
	pol_generation_free(third);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/band");
	TCase *tc = tcase_create("band");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_entries_stand_behind_all_rows_in_their_own_order);
	tcase_add_test(tc, test_interfaces_without_rows_stay_open_behind_the_band);
	tcase_add_test(tc, test_without_entries_nothing_changes);
	tcase_add_test(tc, test_lists_that_did_not_change_are_the_same_again);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
