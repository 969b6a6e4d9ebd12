"""Networks and the one loop that trains them: the only place, beside the files of the deep methods, that knows torch.

Nothing here is imported before a deep method is requested, and nothing here knows an AnnData.
"""
