"""A model as a file for other runtimes, verified in that runtime.

`export` checks what it is asked for and starts a child process; the child
(`child`, `job`) loads the model, writes the file (`writers`), looks into it
(`inspectors`), runs it (`runners`) and compares. Nothing here loads Keras or an
exporter before the child does.
"""
