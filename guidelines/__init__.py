"""Guidelines as data, and the judging of evidence against them."""
