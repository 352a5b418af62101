// xml.c -- small XML files as a tree; the only caller of expat
#include "base/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include <emgtwin/array.h>

#include "base/text.h"

enum { ELEMENTS_MAX = 200000, DEPTH_MAX = 64, BYTES_MAX = 16 << 20, BLOCK_BYTES = 65536 };

// Memory that is freed at once, with the tree.
typedef struct block {
  struct block *previous;
  size_t n_used, n_bytes;
  max_align_t bytes[];
} block;

struct emg_xml_file {
  block *blocks;
  emg_xml *root;
};

typedef struct {
  emg_xml_file *file;
  XML_Parser parser;
  emg_xml *open;  // innermost element that is open
  char *text;     // of the innermost element
  size_t n_text, text_capacity;
  int n_elements, depth;
  const char *refusal;  // NULL until something is refused
} reader;

static void *take(emg_xml_file *file, size_t n_bytes) {
  n_bytes = (n_bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
  block *top = file->blocks;

  if (!top || top->n_bytes - top->n_used < n_bytes) {
    size_t size = n_bytes > BLOCK_BYTES ? n_bytes : BLOCK_BYTES;
    top = calloc(1, sizeof *top + size);
    if (!top) {
      return NULL;
    }
    *top = (block){.previous = file->blocks, .n_bytes = size};
    file->blocks = top;
  }
  void *bytes = (char *)top->bytes + top->n_used;
  top->n_used += n_bytes;
  return bytes;
}

static const char *keep_text(reader *r, const char *text, size_t length) {
  char *copy = take(r->file, length + 1);

  if (copy) {
    memcpy(copy, text, length);
  }
  return copy;
}

static const char *keep_name(reader *r, const char *name) {
  const char *colon = strchr(name, ':');

  name = colon ? colon + 1 : name;
  return keep_text(r, name, strlen(name));
}

static void refuse(reader *r, const char *why) {
  r->refusal = why;
  XML_StopParser(r->parser, XML_FALSE);
}

static const char no_memory[] = "out of memory";

// Text collected since the last tag goes to the element it stands in, if that has none yet.
static void settle_text(reader *r) {
  const char *text = r->text;
  size_t n = r->n_text;

  while (n > 0 && strchr(" \t\r\n", text[n - 1])) {
    n--;
  }
  while (n > 0 && strchr(" \t\r\n", *text)) {
    text++;
    n--;
  }
  if (n > 0 && r->open && r->open->text[0] == '\0') {
    const char *kept = keep_text(r, text, n);
    if (!kept) {
      refuse(r, no_memory);
      return;
    }
    r->open->text = kept;
  }
  r->n_text = 0;
}

static void append_child(emg_xml *parent, emg_xml *element) {
  if (parent->last) {
    parent->last->next = element;
  } else {
    parent->first = element;
  }
  parent->last = element;
}

static bool keep_attributes(reader *r, emg_xml *element, const char **attributes) {
  int n = 0;

  while (attributes[2 * n]) {
    n++;
  }
  element->attributes = take(r->file, (size_t)(2 * n + 1) * sizeof *element->attributes);
  if (!element->attributes) {
    return false;
  }
  for (int i = 0; i < n; i++) {
    const char *value = attributes[2 * i + 1];
    element->attributes[2 * i] = keep_name(r, attributes[2 * i]);
    element->attributes[2 * i + 1] = keep_text(r, value, strlen(value));
    if (!element->attributes[2 * i] || !element->attributes[2 * i + 1]) {
      return false;
    }
  }
  element->n_attributes = n;
  return true;
}

static void on_start(void *user, const char *name, const char **attributes) {
  reader *r = user;

  if (r->refusal) {
    return;
  }
  if (++r->n_elements > ELEMENTS_MAX || ++r->depth > DEPTH_MAX) {
    refuse(r, "more elements or levels than a description of a recording has");
    return;
  }
  settle_text(r);
  emg_xml *element = take(r->file, sizeof *element);
  if (!element) {
    refuse(r, no_memory);
    return;
  }
  *element = (emg_xml){.text = "", .parent = r->open, .name = keep_name(r, name)};
  if (!element->name || !keep_attributes(r, element, attributes)) {
    refuse(r, no_memory);
    return;
  }
  if (r->open) {
    append_child(r->open, element);
  } else {
    r->file->root = element;
  }
  r->open = element;
}

static void on_end(void *user, const char *name) {
  reader *r = user;

  (void)name;
  if (r->refusal || !r->open) {
    return;
  }
  settle_text(r);
  r->open = r->open->parent;
  r->depth--;
}

static void on_text(void *user, const char *text, int length) {
  reader *r = user;
  size_t needed = r->n_text + (size_t)length;

  if (r->refusal) {
    return;
  }
  if (needed > r->text_capacity) {
    char *grown = realloc(r->text, 2 * needed);
    if (!grown) {
      refuse(r, no_memory);
      return;
    }
    r->text = grown;
    r->text_capacity = 2 * needed;
  }
  memcpy(r->text + r->n_text, text, (size_t)length);
  r->n_text = needed;
}

static void on_doctype(void *user, const char *name, const char *system_id, const char *public_id,
                       int has_internal) {
  (void)name;
  (void)system_id;
  (void)public_id;
  (void)has_internal;
  refuse(user, "a document type declaration, which is not read");
}

static const char *encoding_of(const char *bytes, size_t n) {
  if (n >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0 ||
                 bytes[0] == '\0' || bytes[1] == '\0')) {
    return "UTF-16";
  }
  return emg_utf8_valid_length(bytes, n) == n ? "UTF-8" : "ISO-8859-1";
}

static emg_status parse(reader *r, const char *name, const char *bytes, size_t n_bytes,
                        emg_error *err) {
  XML_SetUserData(r->parser, r);
  XML_SetElementHandler(r->parser, on_start, on_end);
  XML_SetCharacterDataHandler(r->parser, on_text);
  XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
  if (XML_Parse(r->parser, bytes, (int)n_bytes, XML_TRUE) == XML_STATUS_OK) {
    return EMG_OK;
  }
  enum XML_Error code = XML_GetErrorCode(r->parser);
  if (r->refusal == no_memory || code == XML_ERROR_NO_MEMORY) {
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for reading %s", name);
  }
  return emg_fail(err, EMG_ERR_DATA, "%s is not readable XML: line %lu, column %lu: %s", name,
                  (unsigned long)XML_GetCurrentLineNumber(r->parser),
                  (unsigned long)XML_GetCurrentColumnNumber(r->parser) + 1,
                  r->refusal ? r->refusal : XML_ErrorString(code));
}

emg_status emg_xml_parse(const char *name, const char *bytes, size_t n_bytes, emg_xml_file **out,
                         emg_error *err) {
  reader r = {0};

  *out = NULL;
  if (n_bytes > BYTES_MAX) {
    return emg_fail(err, EMG_ERR_DATA, "%s has %zu bytes; a description has at most %d", name,
                    n_bytes, BYTES_MAX);
  }
  r.file = calloc(1, sizeof *r.file);
  r.parser = r.file ? XML_ParserCreate(encoding_of(bytes, n_bytes)) : NULL;
  emg_status status = r.parser
                          ? parse(&r, name, bytes, n_bytes, err)
                          : emg_fail(err, EMG_ERR_MEMORY, "out of memory for reading %s", name);
  if (r.parser) {
    XML_ParserFree(r.parser);
  }
  free(r.text);
  if (status != EMG_OK) {
    emg_xml_free(r.file);
    return status;
  }
  *out = r.file;
  return EMG_OK;
}

const emg_xml *emg_xml_root(const emg_xml_file *file) {
  return file->root;
}

void emg_xml_free(emg_xml_file *file) {
  if (!file) {
    return;
  }
  while (file->blocks) {
    block *previous = file->blocks->previous;
    free(file->blocks);
    file->blocks = previous;
  }
  free(file);
}

static const emg_xml *first_named(const emg_xml *element, const char *name) {
  while (element && name && strcmp(element->name, name) != 0) {
    element = element->next;
  }
  return element;
}

const emg_xml *emg_xml_child(const emg_xml *element, const char *name) {
  return element ? first_named(element->first, name) : NULL;
}

const emg_xml *emg_xml_next(const emg_xml *element, const char *name) {
  return element ? first_named(element->next, name) : NULL;
}

const char *emg_xml_child_text(const emg_xml *element, const char *name) {
  const emg_xml *child = emg_xml_child(element, name);
  return child ? child->text : "";
}

const char *emg_xml_attribute(const emg_xml *element, const char *name) {
  for (int i = 0; element && i < element->n_attributes; i++) {
    if (strcmp(element->attributes[2 * i], name) == 0) {
      return element->attributes[2 * i + 1];
    }
  }
  return "";
}
