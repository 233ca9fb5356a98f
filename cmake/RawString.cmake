# cmake -DIN=text.md -DOUT=text.inc -P RawString.cmake: the file as a C++ string.
file(READ "${IN}" text)
file(WRITE "${OUT}" "R\"lot_text(${text})lot_text\"\n")
