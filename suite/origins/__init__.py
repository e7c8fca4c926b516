"""Models from anywhere: names of libraries, files, functions of a user's file; as records of the catalogue's form."""
