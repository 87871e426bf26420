# Defects that fuzzing must find: "make test-fuzz-defects", a part of "make test-long",
# plants one after the other and shows that its target finds it within a minute.
#
# defect NAME FILE SED TARGET: the sed command changes exactly one line of the file.

# Bounds.
defect names-without-end src/cdms/error.c 's/if (fault->depth <= DEEPEST_NAME)/if (true)/' error
defect change-without-number src/cdms/odata_batch.c 's/content_id < 1 || content_id > list_length(writes)/content_id < 1/' changes
defect tenth-for-hundredth src/cdms/timestamp.c 's/unit = USECS_PER_SEC \/ 10;/unit = USECS_PER_SEC \/ 100;/' values

# What may be missing.
defect property-not-wanted src/cdms/json.c 's/into == IN_COMPLEX && reader->slot == NULL/false/' json
defect attribute-without-value src/net/html.c 's/return a->children != NULL && /return /' html
defect unknown-property src/cdms/atom.c 's/if (slot == NULL)/if (false)/' atom

# What must not pass.
defect name-that-is-none src/cdms/metadata.c 's/if (!crm_is_name(name))/if (false)/' metadata
defect control-in-a-message src/cdms/words.c "s/(unsigned char) \*c <= ' '/*c == ' '/" error
defect any-scheme src/net/url.c 's/absolute != NULL \&\& url_is_http(absolute)/absolute != NULL/' link

# Encoders.
defect quote-not-doubled src/cdms/value.c "s/if (\*text == '\\\\'')/if (false)/" filter
defect no-parentheses src/cdms/filter.c 's/nested = kinds\[arg->kind\].shape == SHAPE_INFIX/nested = false/' conditions
defect hash-not-escaped src/net/url.c "s/^#define VALUE_SAFE \"/&#/" filter
defect plus-not-escaped src/net/url.c 's/^#define VALUE_SAFE "/&+/' form
defect inputs-not-apart src/net/url.c 's/if (form->len > 0)/if (false)/' form
defect quote-in-an-attribute src/net/xml.c 's/return "&quot;";/return NULL;/' xml
defect name-not-quoted src/fdw/definition.c 's/quote_identifier(server))/server)/' definition
defect system-column src/fdw/definition.c 's/"xmin", //' definition
