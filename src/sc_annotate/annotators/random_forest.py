from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._inputs import check_fit, check_predict
@dataclass
class RandomForest(Annotator):
    n_trees: int = 300
    min_leaf: int = 1
    cw: str|None=None
    mf: object='sqrt'
    def fit(self, X, y, *, genes, batch=None, rng=0):
        from sklearn.ensemble import RandomForestClassifier
        matrix, codes, classes = check_fit(X, y, genes, batch)
        self.classes_=classes
        self.m=RandomForestClassifier(self.n_trees,min_samples_leaf=self.min_leaf,random_state=rng,class_weight=self.cw,max_features=self.mf).fit(matrix,codes)
        return self
    def predict_proba(self,X): return self.m.predict_proba(X).astype(np.float32)
