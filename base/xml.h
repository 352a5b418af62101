// xml.h -- small XML files as a tree (internal); the only caller of expat is xml.c
#ifndef EMG_BASE_XML_H
#define EMG_BASE_XML_H

#include <stddef.h>

#include <emgtwin/status.h>

// One element. Names are without namespace prefix. Text is what stands directly inside the element,
// blanks at its ends cut; a name or text is never NULL.
typedef struct emg_xml {
  const char *name, *text;
  int n_attributes;
  const char **attributes;  // name, value, name, value, ...
  struct emg_xml *parent, *first, *last, *next;
} emg_xml;

typedef struct emg_xml_file emg_xml_file;

// Parse a whole file. A document type declaration is refused, so that no entity is ever expanded
// and nothing outside the bytes is looked at; so are more than 200,000 elements, 64 levels, or 16
// MiB. The encoding is told from the bytes (UTF-16 by its mark, else UTF-8, else Latin-1), as
// writers often declare another one. EMG_ERR_DATA with line and column in the message; `name` is
// for it.
emg_status emg_xml_parse(const char *name, const char *bytes, size_t n_bytes, emg_xml_file **out,
                         emg_error *err);
const emg_xml *emg_xml_root(const emg_xml_file *file);
void emg_xml_free(emg_xml_file *file);

// First child of this name (of any, if NULL), and the next sibling of this name; NULL if none.
const emg_xml *emg_xml_child(const emg_xml *element, const char *name);
const emg_xml *emg_xml_next(const emg_xml *element, const char *name);
// Text of a child, value of an attribute; "" if there is none, or no element.
const char *emg_xml_child_text(const emg_xml *element, const char *name);
const char *emg_xml_attribute(const emg_xml *element, const char *name);

#endif
