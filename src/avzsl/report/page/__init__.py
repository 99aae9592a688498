"""One self-contained HTML page from which the numbers of a project can be judged.

``contents.py`` gathers, the modules beside it make tables of files, ``template.html`` lays out.
Everything is read from files that the workflow made: the page says what was run, on which clips,
by which code, and not what the machine that renders it happens to have.
"""
