"""What publishers' files do to those who read them, and the test that holds each: `python -m tests.traps` prints it.

The numbers are those that tests of sources carry in their names and comments. `tests/test_traps.py`
fails when a number has no test, or when a test that is named here does not exist.
"""

import sys

PUBMED, PMC, MIMIC, PAJAMA = (f"tests/test_source_{n}.py::test_" for n in ("pubmed", "pmc", "mimic", "redpajama"))
DOOR, RAW, FILES = (f"tests/test_{name}.py::test_" for name in ("download", "raw", "files"))
DEDUP, BUILD, FILTERS = (f"tests/test_{name}.py::test_" for name in ("dedup", "build", "filters"))
CONTAMINATION, GUIDELINES = "tests/test_contamination.py::test_", "tests/test_source_guidelines.py::test_"

# number -> (the trap, the tests that hold it)
TRAPS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "NLM's side-cars say `MD5(name)= hex`, which md5sum does not read",
        (PUBMED + "a_side_car_of_md5sum_reads_too_1", PUBMED + "listing_reads_the_folders_in_numerical_order_1_4_18"),
    ),
    2: (
        "a web page comes with status 200 where data should be",
        (
            DOOR + "html_with_status_200_is_an_error_that_names_the_address",
            PUBMED + "a_side_car_that_is_something_else_is_an_error_2",
            PUBMED + "what_was_saved_in_place_of_a_publishers_file_is_an_error_2",
            RAW + "a_page_in_place_of_a_side_car_is_no_md5",
        ),
    ),
    3: (
        "a file is published again under its old name",
        (
            PUBMED + "a_republished_file_has_another_digest_3",
            DOOR + "a_changed_file_is_an_error_that_names_both_digests",
        ),
    ),
    4: (
        "of many copies of a record the last one counts, by file number and then by place in the file",
        (
            PUBMED + "revisions_rise_with_version_year_file_and_position_4_5_6_18",
            DEDUP + "of_one_id_the_largest_revision_stands",
            BUILD + "the_newest_revision_wins_and_the_deleted_are_gone",
        ),
    ),
    5: (
        "a deleted record may come back later",
        (
            PUBMED + "a_deletion_is_a_document_without_text_5",
            PUBMED + "revisions_rise_with_version_year_file_and_position_4_5_6_18",
            BUILD + "the_newest_revision_wins_and_the_deleted_are_gone",
        ),
    ),
    6: (
        "one PMID has several versions, which are one document",
        (PUBMED + "the_id_is_the_same_for_every_version_6",),
    ),
    7: (
        "ids of a record's references look like its own",
        (PUBMED + "ids_are_the_records_own_and_not_its_references_7",),
    ),
    8: (
        "titles are missing, stand in brackets, or are a filler",
        (PUBMED + "titles_lose_brackets_and_fillers_8", PUBMED + "no_title_at_all_8"),
    ),
    9: (
        "inline markup and formulas glue words, split them or vanish",
        (PUBMED + "inline_markup_neither_glues_nor_splits_words_9", PUBMED + "mathml_is_read_once_9_21"),
    ),
    10: (
        "labels UNLABELLED and UNASSIGNED name no part of an abstract",
        (PUBMED + "labels_stand_before_their_parts_except_those_that_mean_none_10",),
    ),
    11: ("old abstracts end in a note that they were cut", (PUBMED + "truncation_marks_are_left_out_11",)),
    12: (
        "a copyright line stands in its own element and again within the abstract",
        (
            PUBMED + "copyright_tails_are_left_out_12",
            PUBMED + "what_only_looks_like_copyright_stays_12",
            PUBMED + "copyright_information_is_no_part_of_the_abstract_12",
        ),
    ),
    13: (
        "OtherAbstract holds boilerplate, another language, or the only abstract there is",
        (PUBMED + "an_english_other_abstract_stands_in_for_a_missing_one_13",),
    ),
    14: (
        "a retraction is told by the publication type or by a reference to its notice",
        (
            PUBMED + "retractions_by_type_and_by_reference_and_notices_14",
            BUILD + "what_was_retracted_or_is_a_notice_is_gone",
        ),
    ),
    15: ("abstracts are empty, or say that there is none", (PUBMED + "an_abstract_that_says_nothing_is_none_15",)),
    16: ("books stand among the articles", (PUBMED + "books_are_read_16",)),
    17: ("dates are free text in one record of eight", (PUBMED + "dates_in_every_form_17",)),
    18: (
        "file names change with the year, and a new year replaces the old one",
        (
            PUBMED + "listing_reads_the_folders_in_numerical_order_1_4_18",
            PUBMED + "revisions_rise_with_version_year_file_and_position_4_5_6_18",
        ),
    ),
    19: (
        "memory grows with the file unless what was read is let go",
        (PUBMED + "memory_does_not_grow_with_the_file_19",),
    ),
    20: (
        "a gzip file that was cut off shows it at its end alone",
        (PUBMED + "a_file_that_ends_early_says_so_20", FILES + "a_stream_that_is_cut_off_is_no_whole_file"),
    ),
    21: ("display formulas stand in abstracts", (PUBMED + "mathml_is_read_once_9_21",)),
    22: (
        "an article's id is written in several dialects, and its parts have ids too",
        (PMC + "pmcids_in_every_dialect_22", PMC + "ids_are_those_of_the_article_and_not_of_its_parts_22"),
    ),
    23: (
        "articles come in namespaces and wrapped in sets",
        (PMC + "namespaces_and_wrappers_23", PMC + "a_set_goes_on_after_a_broken_article_23"),
    ),
    24: (
        "processing instructions and comments hold storage paths",
        (PMC + "processing_instructions_and_comments_are_no_text_24",),
    ),
    25: (
        "entities are declared in a DTD that is not there",
        (
            PMC + "entities_of_a_dtd_that_is_not_there_25",
            PMC + "entities_that_the_file_declares_25",
            PMC + "entities_that_multiply_are_refused_25",
            PMC + "no_dtd_is_looked_for_25",
        ),
    ),
    26: (
        "of several abstracts a graphical one may stand first",
        (
            PMC + "the_untyped_abstract_leads_wherever_it_stands_26",
            PMC + "parts_of_an_abstract_keep_their_names_26",
        ),
    ),
    27: (
        "paragraphs stand without a section, before sections and after them",
        (PMC + "paragraphs_wherever_they_stand_27",),
    ),
    28: (
        "figures, tables and lists stand within a paragraph",
        (PMC + "blocks_in_a_paragraph_leave_it_whole_28", PMC + "lists_keep_their_order_labels_and_nesting_28"),
    ),
    29: ("figures are kept in a group of their own behind the text", (PMC + "floats_are_read_once_29",)),
    30: (
        "a formula comes as picture, TeX document and MathML at once",
        (
            PMC + "a_formula_is_read_once_30",
            PMC + "mathml_reads_as_a_line_30",
            PMC + "tex_without_its_document_settles_30",
        ),
    ),
    31: (
        "citations leave brackets, commas and digits behind",
        (PMC + "citations_leave_no_trace_31", PMC + "text_without_citations_is_left_alone_31"),
    ),
    32: (
        "reviews, replies and translations are articles within the article",
        (PMC + "reviews_replies_and_translations_are_left_out_32",),
    ),
    33: ("a scanner's text stands in for an article", (PMC + "text_of_a_scanner_is_left_out_33",)),
    34: ("an article has no body", (PMC + "full_text_is_a_body_with_prose_34",)),
    35: (
        "licences are missing, for mining alone or stated twice, and the highest version is not the published one",
        (
            PMC + "licences_wherever_they_are_stated_35",
            PMC + "pmcs_own_word_on_a_licence_counts_first_35",
            PMC + "licences_outside_the_policy_are_marked_35",
            PMC + "the_published_version_counts_before_the_highest_35",
            DOOR + "only_licences_of_the_policy_are_fetched",
        ),
    ),
    36: (
        "an article was retracted, or is the notice of a retraction or correction",
        (PMC + "retractions_and_notices_36", PMC + "only_what_policy_accepts_is_fetched_35_36"),
    ),
    37: (
        "the digest of an object stands in the query of its address",
        (PMC + "listing_goes_from_the_inventory_through_metadata_to_the_xml_37",),
    ),
    38: (
        "an article in another language has abstracts in several",
        (PMC + "an_article_speaks_its_own_language_38",),
    ),
    39: (
        "publishers' notes and forms stand among the sections",
        (PMC + "sections_about_the_paper_are_left_out_39_40", PMC + "an_address_alone_is_no_paragraph_39"),
    ),
    40: (
        "behind the body, appendices are prose and the rest is not",
        (
            PMC + "the_back_gives_its_appendices_alone_40",
            PMC + "sections_about_their_subject_stay_40",
            PMC + "sections_about_the_paper_are_left_out_39_40",
        ),
    ),
    41: (
        "an abstract repeats its full text only where the full text was accepted",
        (
            DEDUP + "an_abstract_goes_only_when_its_full_text_stays",
            BUILD + "an_abstract_goes_only_if_its_full_text_stays",
        ),
    ),
    42: (
        "PhysioNet hears a password from wget alone",
        (
            DOOR + "physionet_by_the_real_wget",
            DOOR + "physionet_by_a_program_that_knows_the_password",
            DOOR + "physionet_without_or_with_wrong_credentials",
        ),
    ),
    43: (
        "a login page is saved as a packed file",
        (DOOR + "a_login_page_with_status_200_is_noticed", MIMIC + "a_login_page_in_place_of_a_file"),
    ),
    44: (
        "SHA256SUMS.txt parts digest and name by one space",
        (
            MIMIC + "the_listing_reads_sums_with_a_single_space",
            RAW + "sha256sums_with_one_space_are_held_against_the_files",
        ),
    ),
    45: ("a radiology report belongs to no stay", (MIMIC + "a_radiology_report_may_belong_to_no_stay",)),
    46: (
        "notes hold line breaks in quotes and are longer than the csv module allows",
        (MIMIC + "a_file_that_ends_inside_a_note", MIMIC + "notes_longer_than_the_csv_modules_limit"),
    ),
    47: ("a greedy pattern eats the text between two masks", (MIMIC + "every_typed_mask_is_the_one_placeholder",)),
    48: ("physicians marked notes as errors", (MIMIC + "marked_errors_are_excluded_with_their_text_and_reason",)),
    49: ("an addendum is a note beside its parent", (MIMIC + "addenda_are_documents_of_their_own",)),
    50: (
        "the same report stands in two releases under other names",
        (
            MIMIC + "the_same_report_in_two_releases_has_the_same_text",
            MIMIC + "a_chest_report_of_two_releases_is_a_near_duplicate",
            DEDUP + "planted_copies_are_found_and_change_no_verdict",
        ),
    ),
    51: (
        "benchmarks were made of these notes and articles",
        (
            CONTAMINATION + "by_identity",
            CONTAMINATION + "planted_leaks_are_found_and_named",
            BUILD + "benchmarks_are_kept_out_by_number_and_by_text",
        ),
    ),
    52: ("rows of Common Crawl have no `meta`", (PAJAMA + "each_slice_has_its_own_key_date_licence_and_kind",)),
    53: (
        "rows of release 2 call their text `raw_content`",
        (PAJAMA + "each_slice_has_its_own_key_date_licence_and_kind", PAJAMA + "release_2_by_snapshot_and_language"),
    ),
    54: (
        "the slice of books was withdrawn",
        (PAJAMA + "books_are_excluded_unless_asked_for", PAJAMA + "a_slice_without_files_is_named"),
    ),
    55: ("Wikipedia comes in twenty languages", (PAJAMA + "languages_that_were_not_asked_for_are_excluded",)),
    56: ("rows of arXiv are empty", (PAJAMA + "an_arxiv_row_without_text_is_a_document_without_text",)),
    57: (
        "a zstd file has many frames, and a reader stops after the first",
        (PAJAMA + "every_compression_gives_the_same_documents", FILES + "compression_is_found_by_the_bytes"),
    ),
    58: (
        "a transfer of hours breaks off and must go on where it stopped",
        (
            DOOR + "a_reset_goes_on_where_it_stopped",
            DOOR + "a_kill_in_mid_file_is_survived",
            PAJAMA + "a_file_that_was_not_fetched_whole",
        ),
    ),
    59: (
        "U+2028 and U+0085 stand inside lines of JSON",
        (PAJAMA + "rows_are_split_at_newlines_only", FILES + "lines_end_at_newlines_only"),
    ),
    60: ("control characters, marks of order, soft hyphens and private glyphs stand in text", (FILTERS + "repair",)),
    61: (
        "NFKC makes another number of m²",
        (FILTERS + "repair", GUIDELINES + "words_are_closed_where_the_document_shows_them_whole"),
    ),
}


def main() -> int:
    for number, (trap, tests) in sorted(TRAPS.items()):
        print(f"{number:3}  {trap}")
        for test in tests:
            print(f"       {test}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
