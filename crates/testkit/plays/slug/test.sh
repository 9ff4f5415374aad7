#!/bin/sh
# Tests of slug.sh; prints TAP.
. ./slug.sh
number=0
failed=0

# is TEXT WANTED
is() {
  number=$((number + 1))
  got=$(slug "$1")
  if [ "$got" = "$2" ]; then
    echo "ok $number - $1"
  else
    echo "not ok $number - $1: got '$got', wanted '$2'"
    failed=$((failed + 1))
  fi
}

echo 1..4
is 'Hello' 'hello'
is 'Hello World' 'hello-world'
is 'C++ and Rust!' 'c-and-rust'
is ' two  spaces ' 'two-spaces'
[ "$failed" -eq 0 ]
