"""`python -m keras_rectifiers`: the command `keras-rectifiers`."""

from keras_rectifiers.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m keras_rectifiers")
