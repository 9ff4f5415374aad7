# slug TEXT: the text as a part of an address: small letters, digits, and single hyphens between them.
slug() {
  printf '%s' "$1" | tr 'A-Z' 'a-z' | tr ' ' '-'
}
