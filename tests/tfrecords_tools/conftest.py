"""The presence of this file puts the folder's fixtures within reach of the tests below it."""
