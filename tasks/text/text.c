//go:build ignore
// (for the Go tools: this is no part of the package of text_test.go)

/* Tasks on text. README.md defines what a word is, and what count returns; the
 * names here are the ones there.
 *
 * The whole of count rests on one thing: UTF-8 can be decoded from any place. A byte
 * that is no continuation byte begins a character or is an invalid byte; so where
 * characters begin never depends on what was before, the first three continuation
 * bytes of a text excepted.
 */
#define _GNU_SOURCE /* memmem */
#include "entangle.h"

#include "unicode_tables.h"

ENTANGLE_MODULE("Tasks on text: splitting, case, words, and counting them in parts.");

#define LENGTH(a) (sizeof(a) / sizeof *(a))

enum { MAX_CHUNK = 4096, APOSTROPHE = 0x27, CURLY = 0x2019, REPLACEMENT = 0xfffd };

/* ---- Characters ------------------------------------------------------------- */

/* What is known of each character, by pages of 256: twice what lowering adds to it,
 * plus 1 if it is a word character. Most pages are one of the two even ones. Made
 * when the module starts, so that every call finds them. */
static int32_t no_words[256], all_words[256];
static int32_t *pages[0x110000 / 256];

/* Bytes below 0x80: 0 separates, 1 is the apostrophe, any other is a word character
 * and stands for it in lower case. */
static uint8_t ascii[256];

/* own_page returns the page of c, for writing. */
static int32_t *own_page(int32_t c) {
    int32_t **page = &pages[c >> 8];
    if (*page == no_words || *page == all_words) {
        int32_t *own = entangle_new(256, sizeof *own);
        memcpy(own, *page, 256 * sizeof *own);
        *page = own;
    }
    return *page;
}

__attribute__((constructor)) static void make_pages(void) {
    for (int i = 0; i < 256; i++) {
        all_words[i] = 1;
    }
    for (size_t i = 0; i < LENGTH(pages); i++) {
        pages[i] = no_words;
    }
    for (size_t i = 0; i < LENGTH(word_ranges); i++) {
        for (int32_t c = word_ranges[i][0], last = word_ranges[i][1]; c <= last; c++) {
            if ((c & 255) == 0 && last - c >= 255) {
                pages[c >> 8] = all_words;
                c += 255;
            } else {
                own_page(c)[c & 255] = 1;
            }
        }
    }
    for (size_t i = 0; i < LENGTH(lower_ranges); i++) {
        const int32_t *row = lower_ranges[i];
        for (int32_t c = row[0]; c <= row[1]; c += row[2]) {
            own_page(c)[c & 255] += 2 * row[3];
        }
    }
    for (int c = 0; c < 0x80; c++) {
        int32_t info = pages[0][c];
        ascii[c] = info & 1 ? (uint8_t)(c + (info >> 1)) : c == APOSTROPHE;
    }
}

static int32_t info(int32_t c) { return pages[c >> 8][c & 255]; }
static bool is_word(int32_t c) { return info(c) & 1; }
static int32_t to_lower(int32_t c) { return c + (info(c) >> 1); }
static bool is_apostrophe(int32_t c) { return c == APOSTROPHE || c == CURLY; }

/* find_range returns the row of a table of ranges that c is in, or NULL. */
static const int32_t *find_range(const int32_t *table, size_t rows, size_t width, int32_t c) {
    size_t low = 0, high = rows;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const int32_t *row = table + mid * width;
        if (c < row[0]) {
            high = mid;
        } else if (c > row[1]) {
            low = mid + 1;
        } else {
            return row;
        }
    }
    return NULL;
}

static int32_t to_upper(int32_t c) {
    const int32_t *row = find_range(upper_ranges[0], LENGTH(upper_ranges), 4, c);
    return row && (c - row[0]) % row[2] == 0 ? c + row[3] : c;
}

static bool is_space(int32_t c) { return find_range(space_ranges[0], LENGTH(space_ranges), 2, c); }

/* decode returns the character at p, which is before end, and puts behind it into
 * next. An invalid byte is one U+FFFD. */
__attribute__((always_inline)) static inline int32_t decode(const uint8_t *p, const uint8_t *end, const uint8_t **next) {
    uint32_t c = p[0];
    *next = p + 1;
    if (c < 0x80) {
        return (int32_t)c;
    }
    if (c - 0xc2 < 0xe0 - 0xc2 && end - p >= 2 && (p[1] & 0xc0) == 0x80) { /* two bytes: most scripts */
        *next = p + 2;
        return (int32_t)(c & 0x1f) << 6 | (p[1] & 0x3f);
    }
    if (c < 0xc2 || c > 0xf4) {
        return REPLACEMENT;
    }
    size_t size = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if ((size_t)(end - p) < size) {
        return REPLACEMENT;
    }
    c &= 0x7f >> size;
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return REPLACEMENT;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    if ((size == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) || (size == 4 && (c < 0x10000 || c > 0x10ffff))) {
        return REPLACEMENT;
    }
    *next = p + size;
    return (int32_t)c;
}

/* encode writes c at p and returns where it ends. */
static inline uint8_t *encode(uint8_t *p, int32_t c) {
    if (c < 0x80) {
        *p++ = (uint8_t)c;
    } else if (c < 0x800) {
        *p++ = (uint8_t)(0xc0 | c >> 6);
        *p++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *p++ = (uint8_t)(0xe0 | c >> 12);
        *p++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *p++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        *p++ = (uint8_t)(0xf0 | c >> 18);
        *p++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        *p++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *p++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return p;
}

/* undecided_lead returns how many continuation bytes, three at most, begin a text. */
static size_t undecided_lead(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n && i < 3 && (p[i] & 0xc0) == 0x80) {
        i++;
    }
    return i;
}

/* undecided_trail returns where the beginning of an encoding that the text breaks
 * off begins, or n. What follows it may make a character of it. */
static size_t undecided_trail(const uint8_t *p, size_t n) {
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        const uint8_t *q = p + n - back;
        uint8_t c = q[0], low = 0x80, high = 0xbf;
        if ((c & 0xc0) == 0x80) {
            continue;
        }
        size_t size = c < 0xc2 || c > 0xf4 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (c == 0xe0) {
            low = 0xa0;
        } else if (c == 0xed) {
            high = 0x9f;
        } else if (c == 0xf0) {
            low = 0x90;
        } else if (c == 0xf4) {
            high = 0x8f;
        }
        bool valid = size > back && (back < 2 || (q[1] >= low && q[1] <= high));
        return valid ? n - back : n;
    }
    return n;
}

/* ---- Counts ------------------------------------------------------------------ */

/* A word in blocks of 8 bytes, the last one filled up with zeros, which no word
 * holds: it is hashed and compared by blocks. */
typedef struct {
    uint64_t blocks[MAX_CHUNK * 3 / 2 / 8]; /* gen.go checks that lowering adds no more */
    size_t len;
} word;

static size_t blocks_of(size_t len) { return (len + 7) / 8; }

/* A table with open addressing; a slot whose count is 0 is free. The first block of
 * a word is in its slot, which is all of most words; the others are elsewhere. */
typedef struct {
    uint64_t first, count;
    const uint64_t *blocks; /* all of the word; NULL if it has one block */
    uint32_t hash, len;
} slot;

typedef struct {
    slot *slots;
    size_t cap, used; /* cap is a power of two, and used at most half of it */
    uint64_t *room;   /* for the next words */
    size_t room_left; /* blocks */
} table;

static inline uint64_t hash_block(uint64_t h, uint64_t block) {
    h = (h ^ block) * 0x9e3779b97f4a7c15;
    return h ^ h >> 32;
}

static uint32_t hash_word(const word *w) {
    uint64_t h = 0;
    for (size_t i = 0; i < blocks_of(w->len); i++) {
        h = hash_block(h, w->blocks[i]);
    }
    return (uint32_t)h;
}

static bool is_in(const slot *s, const word *w) {
    if (s->first != w->blocks[0] || s->len != w->len) {
        return false;
    }
    for (size_t i = 1; i < blocks_of(w->len); i++) {
        if (s->blocks[i] != w->blocks[i]) {
            return false;
        }
    }
    return true;
}

static void grow(table *t) {
    size_t cap = t->cap ? t->cap * 2 : 1 << 10;
    slot *slots = entangle_new(cap, sizeof *slots);
    memset(slots, 0, cap * sizeof *slots);
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].count) {
            size_t to = t->slots[i].hash & (cap - 1);
            while (slots[to].count) {
                to = (to + 1) & (cap - 1);
            }
            slots[to] = t->slots[i];
        }
    }
    free(t->slots);
    t->slots = slots;
    t->cap = cap;
}

static const uint64_t *keep(table *t, const word *w) {
    size_t n = blocks_of(w->len);
    if (n == 1) {
        return NULL;
    }
    if (n > t->room_left) {
        t->room_left = 1 << 13; /* more than any word has */
        t->room = entangle_new(t->room_left, sizeof *t->room);
    }
    uint64_t *kept = t->room;
    memcpy(kept, w->blocks, n * sizeof *kept);
    t->room += n;
    t->room_left -= n;
    return kept;
}

static void add(table *t, const word *w, uint32_t hash) {
    if (2 * t->used >= t->cap) {
        grow(t);
    }
    size_t i = hash & (t->cap - 1);
    while (t->slots[i].count && !is_in(&t->slots[i], w)) {
        i = (i + 1) & (t->cap - 1);
    }
    slot *s = &t->slots[i];
    if (!s->count++) {
        s->first = w->blocks[0];
        s->blocks = keep(t, w);
        s->hash = hash;
        s->len = (uint32_t)w->len;
        t->used++;
    }
}

/* ---- Words -------------------------------------------------------------------- */

/* Where words go: into counts, or, if it is there, into a list. */
typedef struct {
    table counts;
    int64_t overlong;
    entangle_writer *list;
} sink;

/* end_word takes the word that was put together up to end, and begins another. */
static uint8_t *end_word(sink *to, word *w, uint8_t *end) {
    uint8_t *start = (uint8_t *)w->blocks;
    w->len = (size_t)(end - start);
    if (w->len == 0) {
        return start;
    }
    if (to->list) {
        entangle_put_text(to->list, (const char *)start, w->len);
        return start;
    }
    while ((size_t)(end - start) % 8) {
        *end++ = 0;
    }
    add(&to->counts, w, hash_word(w));
    return start;
}

/* put_chunk cuts a chunk into words. */
static void put_chunk(sink *to, const uint8_t *p, const uint8_t *end) {
    if (end - p > MAX_CHUNK) {
        to->overlong++;
        return;
    }
    word w;
    uint8_t *at = (uint8_t *)w.blocks;
    bool after_word = false;
    while (p < end) {
        const uint8_t *next, *behind;
        int32_t c = decode(p, end, &next);
        p = next;
        if (!is_apostrophe(c)) {
            at = encode(at, to_lower(c));
            after_word = true;
        } else if (after_word && p < end && is_word(decode(p, end, &behind))) {
            *at++ = APOSTROPHE;
            after_word = false;
        } else {
            at = end_word(to, &w, at);
            after_word = false;
        }
    }
    end_word(to, &w, at);
}

/* find_separator returns where the first separator is, or end. */
static const uint8_t *find_separator(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        const uint8_t *next = p + 1;
        if (*p < 0x80) {
            if (!ascii[*p]) {
                break;
            }
        } else {
            int32_t c = decode(p, end, &next);
            if (!is_word(c) && c != CURLY) {
                break;
            }
        }
        p = next;
    }
    return p;
}

static const uint8_t *skip_separators(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        const uint8_t *next = p + 1;
        if (*p < 0x80) {
            if (ascii[*p]) {
                break;
            }
        } else {
            int32_t c = decode(p, end, &next);
            if (is_word(c) || c == CURLY) {
                break;
            }
        }
        p = next;
    }
    return p;
}

/* eight_letters looks at eight bytes: it returns how many of them, from the first,
 * are ASCII letters, and puts these into block in lower case, followed by zeros. */
static inline size_t eight_letters(const uint8_t *p, uint64_t *block) {
    const uint64_t ones = 0x0101010101010101, tops = 0x80 * ones;
    uint64_t bytes;
    memcpy(&bytes, p, 8);
    /* With bit 7 out of the way no sum overflows into the next byte: bit 7 of it
     * then says whether the byte is at least as large as something. */
    uint64_t lower = (bytes & ~tops) | 0x20 * ones;
    uint64_t from_a = lower + (0x80 - 'a') * ones, beyond_z = lower + (0x7f - 'z') * ones;
    uint64_t others = ~(from_a & ~beyond_z & ~bytes) & tops;
    if (!others) {
        *block = lower;
        return 8;
    }
    int bits = __builtin_ctzll(others) & ~7;
    *block = lower & ((1ull << bits) - 1);
    return (size_t)bits / 8;
}

/* put_letters takes the chunk that begins at p if it is of ASCII letters alone and is
 * not at the very end; it returns where it ends, or p. */
static inline const uint8_t *put_letters(sink *to, word *w, const uint8_t *p, const uint8_t *end) {
    const uint8_t *start = p;
    uint64_t hash = 0;
    size_t n = 8, blocks = 0;
    while (n == 8 && end - p > 8 && blocks < MAX_CHUNK / 8 && (n = eight_letters(p, &w->blocks[blocks])) > 0) {
        hash = hash_block(hash, w->blocks[blocks++]);
        p += n;
    }
    if (p == start || *p >= 0x80 || ascii[*p]) {
        return start;
    }
    w->len = (size_t)(p - start);
    add(&to->counts, w, (uint32_t)hash);
    return p;
}

/* put_simple takes the chunk that begins at p if it has no apostrophe, is not overlong
 * and ends before end, in one pass; it returns where it ends, or p. */
static inline const uint8_t *put_simple(sink *to, word *w, const uint8_t *p, const uint8_t *end) {
    const uint8_t *start = p, *limit = end - p > MAX_CHUNK - 4 ? p + MAX_CHUNK - 4 : end, *next;
    uint8_t *at = (uint8_t *)w->blocks;
    while (p < limit) {
        if (*p < 0x80) {
            uint8_t letter = ascii[*p];
            if (letter < 2) {
                if (letter) {
                    return start;
                }
                break;
            }
            *at++ = letter;
            p++;
        } else {
            int32_t c = decode(p, end, &next), i = info(c);
            if (!(i & 1)) {
                if (c == CURLY) {
                    return start;
                }
                break;
            }
            at = encode(at, c + (i >> 1));
            p = next;
        }
    }
    if (p >= limit) {
        return start;
    }
    end_word(to, w, at);
    return p;
}

/* put_chunks takes the chunks of a text that nothing precedes, but for one that
 * reaches its end; it returns where that one begins. */
static const uint8_t *put_chunks(sink *to, const uint8_t *p, const uint8_t *end) {
    word w;
    for (;;) {
        const uint8_t *start = skip_separators(p, end);
        if (start == end) {
            return start;
        }
        if (!to->list && (p = put_letters(to, &w, start, end)) > start) {
            continue;
        }
        if ((p = put_simple(to, &w, start, end)) > start) {
            continue;
        }
        p = find_separator(start, end);
        if (p == end) {
            return start;
        }
        put_chunk(to, start, p);
    }
}

/* ---- Counting in parts ---------------------------------------------------------- */

enum { MAX_HEAD = 3 + MAX_CHUNK + 1 + 3 };

/* A count in progress. Its rest is last alone, or first, a space and last. */
typedef struct {
    sink to;
    bool separated;
    uint8_t first[MAX_HEAD], last[3 * MAX_HEAD]; /* the room for joining included */
    size_t nfirst, nlast;
} count;

/* shorten writes a run of a border, an overlong one by its stand-in, and returns
 * where it ends. run may begin at or behind to, in the same memory. */
static uint8_t *shorten(uint8_t *to, const uint8_t *run, size_t n) {
    if (n > MAX_CHUNK) {
        memset(to, 'a', MAX_CHUNK + 1);
        return to + MAX_CHUNK + 1;
    }
    memmove(to, run, n);
    return to + n;
}

/* keep_last makes what begins at run, and breaks off at trail, the last of c, behind
 * lead bytes that are there already. It is elsewhere, or in last and moves down. */
static void keep_last(count *c, size_t lead, const uint8_t *run, const uint8_t *trail, const uint8_t *end) {
    uint8_t *to = shorten(c->last + lead, run, (size_t)(trail - run));
    memmove(to, trail, (size_t)(end - trail));
    c->nlast = (size_t)(to - c->last) + (size_t)(end - trail);
}

/* settle counts what has become certain of last, after bytes were added to it. */
static void settle(count *c) {
    size_t lead = c->separated ? 0 : undecided_lead(c->last, c->nlast);
    const uint8_t *end = c->last + c->nlast, *run = c->last + lead;
    const uint8_t *trail = c->last + undecided_trail(c->last, c->nlast);
    const uint8_t *separator = find_separator(run, trail);
    if (separator == trail) {
        keep_last(c, lead, run, trail, end);
        return;
    }
    if (c->separated) {
        put_chunk(&c->to, run, separator);
    } else {
        memcpy(c->first, c->last, lead);
        c->nfirst = (size_t)(shorten(c->first + lead, run, (size_t)(separator - run)) - c->first);
        c->separated = true;
    }
    keep_last(c, 0, put_chunks(&c->to, separator, trail), trail, end);
}

/* add_text adds n bytes to the text that is counted. */
static void add_text(count *c, const uint8_t *p, size_t n) {
    size_t lead = undecided_lead(p, n);
    const uint8_t *end = p + n, *trail = p + undecided_trail(p, n);
    const uint8_t *separator = find_separator(p + lead, trail);
    /* Up to the first separator, the bytes belong to what is there already. */
    uint8_t *to = c->last + c->nlast;
    memcpy(to, p, lead);
    to = shorten(to + lead, p + lead, (size_t)(separator - p) - lead);
    if (separator == trail) {
        memcpy(to, trail, (size_t)(end - trail));
        c->nlast = (size_t)(to - c->last) + (size_t)(end - trail);
        settle(c);
        return;
    }
    *to++ = ' ';
    c->nlast = (size_t)(to - c->last);
    settle(c);
    keep_last(c, 0, put_chunks(&c->to, separator, trail), trail, end);
}

static void add_separator(count *c) { add_text(c, (const uint8_t *)" ", 1); }

ENTANGLE_TASK(count, "(parts: list) -> map",
              "Counts the words of consecutive parts of files, to be merged (tasks/text/README.md).") {
    count c;
    memset(&c, 0, sizeof c);
    int64_t bytes = 0;
    size_t n = entangle_len(&args[0]), nerrors = 0;
    entangle_text *errors = entangle_new(n, sizeof *errors);
    for (size_t i = 0; i < n; i++) {
        const entangle_value *part = entangle_at(&args[0], i), *error = entangle_find(part, "error");
        if (error) {
            errors[nerrors++] = entangle_get_text(error);
            add_separator(&c);
            continue;
        }
        entangle_bytes data = entangle_get_bytes(entangle_must_find(part, "data"));
        bool first = entangle_get_bool(entangle_must_find(part, "first"));
        bool last = entangle_get_bool(entangle_must_find(part, "last"));
        if (first) {
            add_separator(&c);
        }
        add_text(&c, data.ptr, data.len);
        if (last) {
            add_separator(&c);
        }
        bytes += (int64_t)data.len;
    }

    entangle_begin_map(out, 5);
    entangle_put_key(out, "rest");
    uint8_t rest[2 * MAX_HEAD + 1], *to = rest;
    if (c.separated) {
        memcpy(to, c.first, c.nfirst);
        to += c.nfirst;
        *to++ = ' ';
    }
    memcpy(to, c.last, c.nlast);
    entangle_put_bytes(out, rest, (size_t)(to - rest) + c.nlast);

    entangle_put_key(out, "bytes");
    entangle_put_int(out, bytes);

    entangle_put_key(out, "counts");
    entangle_begin_map(out, c.to.counts.used);
    for (size_t i = 0; i < c.to.counts.cap; i++) {
        const slot *s = &c.to.counts.slots[i];
        if (s->count) {
            entangle_put_key_n(out, (const char *)(s->blocks ? s->blocks : &s->first), s->len);
            entangle_put_int(out, (int64_t)s->count);
        }
    }
    entangle_end(out);

    entangle_put_key(out, "errors");
    entangle_begin_list(out, nerrors);
    for (size_t i = 0; i < nerrors; i++) {
        entangle_put_text(out, errors[i].ptr, errors[i].len);
    }
    entangle_end(out);

    entangle_put_key(out, "overlong");
    entangle_put_int(out, c.to.overlong);
    entangle_end(out);
}

/* ---- The other tasks --------------------------------------------------------------- */

ENTANGLE_TASK(words, "(text: string) -> list[string]", "The words of a text, in lower case, in order.") {
    entangle_text text = entangle_get_text(&args[0]);
    const uint8_t *p = (const uint8_t *)text.ptr, *end = p + text.len;
    sink to = {.list = out};
    entangle_begin_list(out, ENTANGLE_UNKNOWN);
    put_chunk(&to, put_chunks(&to, p, end), end);
    entangle_end(out);
}

/* put_mapped puts a string with every character mapped. */
static void put_mapped(entangle_writer *out, entangle_text text, int32_t (*map)(int32_t)) {
    const uint8_t *p = (const uint8_t *)text.ptr, *end = p + text.len;
    uint8_t *mapped = entangle_new(text.len / 2 + 1, 3), *to = mapped;
    while (p < end) {
        to = encode(to, map(decode(p, end, &p)));
    }
    entangle_put_text(out, (const char *)mapped, (size_t)(to - mapped));
}

ENTANGLE_TASK(upper, "(text: string) -> string", "The text in upper case, one character for each.") {
    put_mapped(out, entangle_get_text(&args[0]), to_upper);
}

ENTANGLE_TASK(lower, "(text: string) -> string", "The text in lower case, one character for each.") {
    put_mapped(out, entangle_get_text(&args[0]), to_lower);
}

/* put_fields puts the pieces between runs of white space, none of them empty. */
static void put_fields(entangle_writer *out, const uint8_t *p, const uint8_t *end) {
    const uint8_t *start = NULL, *next;
    for (; p < end; p = next) {
        bool space = is_space(decode(p, end, &next));
        if (space && start) {
            entangle_put_text(out, (const char *)start, (size_t)(p - start));
            start = NULL;
        } else if (!space && !start) {
            start = p;
        }
    }
    if (start) {
        entangle_put_text(out, (const char *)start, (size_t)(end - start));
    }
}

ENTANGLE_TASK(split, "(text: string, sep: string?) -> list[string]",
              "The pieces between occurrences of sep, or, if it is null, between runs of white space.") {
    entangle_text text = entangle_get_text(&args[0]);
    entangle_begin_list(out, ENTANGLE_UNKNOWN);
    if (entangle_is_null(&args[1])) {
        put_fields(out, (const uint8_t *)text.ptr, (const uint8_t *)text.ptr + text.len);
    } else {
        entangle_text sep = entangle_get_text(&args[1]);
        if (sep.len == 0) {
            const char *message = "sep is empty: give a separator, or null for white space";
            entangle_fail_text(message, strlen(message));
        }
        const char *p = text.ptr, *end = text.ptr + text.len, *at;
        while ((at = memmem(p, (size_t)(end - p), sep.ptr, sep.len))) {
            entangle_put_text(out, p, (size_t)(at - p));
            p = at + sep.len;
        }
        entangle_put_text(out, p, (size_t)(end - p));
    }
    entangle_end(out);
}
