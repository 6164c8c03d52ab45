"""A person's own runs, drawn as they are: no study planned them, and no claim is about them.

`figure`: accuracy and loss over steps, and the table of the same runs. `lines`: how each is drawn.
"""
