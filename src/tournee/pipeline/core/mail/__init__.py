"""From the bytes of a message to what is stored of it: pure rules over bytes and text, no input or output."""
