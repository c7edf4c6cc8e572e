"""What looks like a name in a note and is none: the sets of lists/safe.txt, by name."""

from filters.phi import lists

# Function words, headings, roles: never a name, whatever stands before them.
STOPS = lists.safe("stop")
# Words of grammar and of a clinic's day: no name even after a title.
FUNCTION = lists.safe("function")
# Named after somebody: never the patient when a disease, a sign or an instrument follows.
EPONYMS = lists.safe("eponym")
PRODUCTS = lists.safe("product")
# Written in capitals in notes.
ACRONYMS = lists.safe("acronym")
# Words of the clinic that general word lists do not have.
CLINICAL = lists.safe("clinical")
# Nouns that make the name before them an eponym: disease, catheter, forceps.
EPONYM_NOUNS = lists.safe("noun")
# Words after which a capitalised word is a person: wife, nurse.
RELATIVES = lists.safe("relative")
# Labels of which the value is a person; weak ones are labels of other things as well; coded ones have initials.
LABELS, WEAK_LABELS, CODED_LABELS = lists.safe("label"), lists.safe("weak-label"), lists.safe("coded-label")
