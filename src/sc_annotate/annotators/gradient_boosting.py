from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._inputs import check_fit, check_predict
from sc_annotate.annotators._pca import fit_pca, project
@dataclass
class GradientBoosting(Annotator):
    n_components: int = 50
    max_iter: int = 100
    learning_rate: float=.1
    power: float=1.
    cw: str|None=None
    leaf: int=31
    minleaf: int=20
    def fit(self, X, y, *, genes, batch=None, rng=0):
        from sklearn.ensemble import HistGradientBoostingClassifier
        matrix, codes, classes = check_fit(X, y, genes, batch)
        self.classes_=classes
        self.l,self.s=fit_pca(matrix,self.n_components,rng,power=self.power)
        self.m=HistGradientBoostingClassifier(max_iter=self.max_iter,learning_rate=self.learning_rate,early_stopping=False,random_state=rng,class_weight=self.cw,max_leaf_nodes=self.leaf,min_samples_leaf=self.minleaf).fit(project(matrix,self.l,self.s),codes)
        return self
    def predict_proba(self,X): return self.m.predict_proba(project(X,self.l,self.s)).astype(np.float32)
